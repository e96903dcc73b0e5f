package registry

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// ConfigMapName is that of the settings, in the namespace of the catalog and, for Tasks, in that of their run.
const ConfigMapName = "config-registries"

// The keys of the settings, in a ConfigMap or as files of a directory.
const (
	allowedKey = "allowed"
	hostsKey   = "hosts"
	exampleKey = "_example" // knative's convention: read by people only
)

// everyOther is the key of what holds for hosts that have no entry.
const everyOther = "*"

// The bounds of the settings' limits, and what holds where nothing is set. A polite client of a public registry stays
// far below what it would be throttled for.
const (
	DefaultMaxConcurrent     = 8
	DefaultRequestsPerSecond = 50
	mostConcurrent           = 1024
	mostRequestsPerSecond    = 100_000
)

// Settings say which registries may be asked, and how. Nil settings, and those without entries, allow every repository
// of every registry with a public address, by HTTPS with a certificate that the system trusts.
type Settings struct {
	allowed []Pattern // none allows all
	hosts   map[string]Host
	others  Host
}

// ForPods are the settings of a pod that has none of its own: registries may have private addresses, since the network
// is that of the pod's own namespace.
func ForPods() *Settings { return &Settings{others: Host{PrivateAddresses: true}} }

// ParseSettings reads the data of the ConfigMap config-registries: "allowed", one glob of repositories a line, and
// "hosts", a YAML mapping of hosts to what holds for them. Unknown keys and fields are errors.
func ParseSettings(data map[string]string) (*Settings, error) {
	s := &Settings{hosts: map[string]Host{}}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		var err error
		switch key {
		case allowedKey:
			s.allowed, err = parseAllowed(data[key])
		case hostsKey:
			err = s.parseHosts(data[key])
		case exampleKey:
		default:
			err = fmt.Errorf("there is no such setting; the settings are %q and %q", allowedKey, hostsKey)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return s, nil
}

// ReadSettings reads the same from a directory with a file for each key, as a mounted ConfigMap is. A directory that is
// not there, or has no settings, gives the fallback.
func ReadSettings(dir string, fallback *Settings) (*Settings, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading the settings for registries: %w", err)
	}
	data := map[string]string{}
	for _, file := range files {
		if strings.HasPrefix(file.Name(), "..") { // the kubelet's own
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, file.Name())) //nolint:gosec // who runs the program names the directory
		if err != nil {
			return nil, fmt.Errorf("reading the settings for registries: %w", err)
		}
		data[file.Name()] = string(content)
	}
	delete(data, exampleKey)
	if len(data) == 0 {
		return fallback, nil
	}
	s, err := ParseSettings(data)
	if err != nil {
		return nil, fmt.Errorf("reading the settings for registries in %s: %w", dir, err)
	}
	return s, nil
}

func parseAllowed(text string) ([]Pattern, error) {
	var allowed []Pattern
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := ParsePattern(line)
		if err != nil {
			return nil, err
		}
		allowed = append(allowed, p)
	}
	return allowed, nil
}

func (s *Settings) parseHosts(text string) error {
	entries, err := decodeHosts(text)
	if err != nil {
		return err
	}
	s.others = entries[everyOther]
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		host := entries[key]
		if err := host.check(key == everyOther); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		if key == everyOther {
			continue
		}
		authority, err := parseAuthority(key)
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		if _, twice := s.hosts[authority]; twice {
			return fmt.Errorf("%q: there are two entries of %s", key, authority)
		}
		s.hosts[authority] = host.under(s.others)
	}
	return nil
}

var (
	authorityForm = regexp.MustCompile(`^(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::([0-9]{1,5}))?$`)
	errNoHost     = errors.New("it is no host: write its name or address, and its port where it has one, such as registry.example.com:5000 or [2001:db8::1]:5000")
)

const httpsPort = 443

// secretName is what Kubernetes names secrets by (RFC 1123, "subdomain").
var secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// Host gives what holds for a host with or without a port: its own entry, else that of the host without its port, else
// the one for all others.
func (s *Settings) Host(authority string) Host {
	host := Host{}
	if s != nil {
		host = s.find(strings.ToLower(authority))
	}
	if host.MaxConcurrent == 0 {
		host.MaxConcurrent = DefaultMaxConcurrent
	}
	if host.RequestsPerSecond == 0 {
		host.RequestsPerSecond = DefaultRequestsPerSecond
	}
	return host
}

func (s *Settings) find(authority string) Host {
	if host, ok := s.hosts[strings.TrimSuffix(authority, ":443")]; ok {
		return host
	}
	if hostname, _, err := net.SplitHostPort(authority); err == nil {
		if strings.Contains(hostname, ":") {
			hostname = "[" + hostname + "]"
		}
		if host, ok := s.hosts[hostname]; ok {
			return host
		}
	}
	return s.others
}

// AsksAs says whether hosts are asked in the same way by two settings, whatever the limits.
func (s *Settings) AsksAs(other *Settings) bool {
	return s.others.asksAs(other.others) && maps.EqualFunc(s.hosts, other.hosts, Host.asksAs)
}

// Allows says whether images of a repository may be asked about. The error is an *Error with the reason Blocked.
func (s *Settings) Allows(repository name.Repository) error {
	if s == nil || len(s.allowed) == 0 || slices.ContainsFunc(s.allowed, func(p Pattern) bool { return p.Matches(repository) }) {
		return nil
	}
	return &Error{
		Reason: Blocked, Host: repository.RegistryStr(), Subject: repository.Name(),
		Err: errNotAllowed,
	}
}

var errNotAllowed = faultf(Blocked, "no pattern of allowed matches it")
