package registry

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/net/publicsuffix"
	"gopkg.in/yaml.v3"
)

// Host is what holds for a registry's host, for a host that it redirects to, or for its token server.
type Host struct {
	// PlainHTTP has the host asked by HTTP without TLS, and by nothing else.
	PlainHTTP bool `yaml:"plainHTTP"`
	// PrivateAddresses lets the host's name lead to an address that is not public. With "*" this opens private ranges
	// (RFC 1918, RFC 4193, RFC 6598), and never loopback and link-local ones: those take an entry of the host's own.
	PrivateAddresses bool `yaml:"privateAddresses"`
	// CertificateAuthorities are PEM certificates that are trusted for this host beside the system's. Those of "*" are
	// trusted for every host.
	CertificateAuthorities string `yaml:"certificateAuthorities"`
	// TokenServers are hosts that may be sent the credentials of this one, as it asks (OCI distribution specification,
	// "token authentication"). Hosts of the same registrable domain need not be listed.
	TokenServers []string `yaml:"tokenServers"`
	// ServiceAccountToken has the catalog open the host with its own token where an entry brings no credentials, as
	// OpenShift's registry wants it.
	ServiceAccountToken bool `yaml:"serviceAccountToken"`
	// PullSecret is a secret in the catalog's own namespace, used likewise.
	PullSecret string `yaml:"pullSecret"`
	// MaxConcurrent is how many images are asked about at a time.
	MaxConcurrent wholeNumber `yaml:"maxConcurrent"`
	// RequestsPerSecond is how many requests are sent in a second, in bursts of as many.
	RequestsPerSecond float64 `yaml:"requestsPerSecond"`

	// named says that the host has an entry of its own.
	named bool
}

// wholeNumber is not 1 where somebody wrote 1.5, as YAML has it.
type wholeNumber int

// UnmarshalYAML implements yaml.Unmarshaler.
func (n *wholeNumber) UnmarshalYAML(value *yaml.Node) error {
	if value.ShortTag() == "!!float" {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal !!float `%s` into int", value.Line, value.Value)}}
	}
	return value.Decode((*int)(n))
}

// The fields by which an error says what would allow what it is about, as the settings have them.
const (
	plainHTTP        = "plainHTTP"
	privateAddresses = "privateAddresses"
	tokenServers     = "tokenServers"
)

// decodeHosts takes the text for one document: what a second one says would be lost.
func decodeHosts(text string) (map[string]Host, error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	entries := map[string]Host{}
	if err := decoder.Decode(&entries); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, inWords(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one YAML document: put all hosts into one, without a line ---")
	}
	return entries, nil
}

// inWords replaces the names that Go has for what is in the settings.
func inWords(err error) error {
	var wrong *yaml.TypeError
	switch {
	case errors.As(err, &wrong):
	case strings.Contains(err.Error(), "did not find expected alphabetic or numeric character"): // of an alias, which * begins
		return fmt.Errorf(`%w: write * in quotes, as in "*"`, err)
	default:
		return err
	}
	words := strings.NewReplacer(
		" not found in type registry.Host", " is unknown: a host has "+strings.Join(hostFields(), ", "),
		" into map[string]registry.Host", " into a mapping of hosts",
		" into registry.Host", " into the fields of a host",
		" into []string", " into a list of texts",
		" into string", " into a text",
		" into bool", " into true or false",
		" into int", " into a whole number",
		" into float64", " into a number",
	)
	return errors.New(words.Replace(strings.Join(wrong.Errors, "; ")))
}

func hostFields() (fields []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Host]()) {
		if key := field.Tag.Get("yaml"); key != "" {
			fields = append(fields, key)
		}
	}
	return fields
}

// parseAuthority gives the form that hosts have in parsed references and in requests: in lower case, without the dot that
// ends an absolute name and the port that HTTPS has by default, an IPv6 address in its shortest form, and one name for
// Docker Hub.
func parseAuthority(text string) (string, error) {
	parts := authorityForm.FindStringSubmatch(strings.ToLower(text))
	if parts == nil {
		return "", errNoHost
	}
	address, host := parts[1], parts[2]
	if address != "" {
		parsed, err := netip.ParseAddr(address)
		if err != nil || !parsed.Is6() {
			return "", errNoHost
		}
		host = "[" + parsed.String() + "]"
	}
	port, err := parsePort(parts[3])
	switch {
	case err != nil:
		return "", err
	case port != httpsPort:
		return fmt.Sprintf("%s:%d", host, port), nil
	case host == "docker.io" || host == "registry-1.docker.io":
		return name.DefaultRegistry, nil
	default:
		return host, nil
	}
}

func parsePort(text string) (uint64, error) {
	if text == "" {
		return httpsPort, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("its port is %s, and must be from 1 to 65535", text)
	}
	return port, nil
}

func (h *Host) check(forAll bool) error {
	if forAll && (h.PlainHTTP || h.ServiceAccountToken || h.PullSecret != "" || len(h.TokenServers) > 0) {
		return errors.New("plainHTTP, tokenServers, serviceAccountToken and pullSecret are for hosts with an entry of their own")
	}
	if h.PlainHTTP && h.CertificateAuthorities != "" {
		return errors.New("plainHTTP and certificateAuthorities exclude each other: plain HTTP has no certificates")
	}
	if h.ServiceAccountToken && h.PullSecret != "" {
		return errors.New("serviceAccountToken and pullSecret exclude each other")
	}
	if h.PullSecret != "" && !secretName.MatchString(h.PullSecret) {
		return fmt.Errorf("pullSecret: %q is no name of a secret", h.PullSecret)
	}
	if h.MaxConcurrent < 0 || h.MaxConcurrent > mostConcurrent {
		return fmt.Errorf("maxConcurrent is %d, and must be from 1 to %d, or absent", h.MaxConcurrent, mostConcurrent)
	}
	if h.RequestsPerSecond < 0 || h.RequestsPerSecond > mostRequestsPerSecond || math.IsNaN(h.RequestsPerSecond) {
		return fmt.Errorf("requestsPerSecond is %v, and must be above 0 and at most %d, or absent", h.RequestsPerSecond, mostRequestsPerSecond)
	}
	for i, server := range h.TokenServers {
		authority, err := parseAuthority(server)
		if err != nil {
			return fmt.Errorf("tokenServers: %q: %w", server, err)
		}
		h.TokenServers[i] = authority
	}
	return checkCertificates(h.CertificateAuthorities)
}

// checkCertificates refuses what a certificate pool would pass over in silence.
func checkCertificates(text string) error {
	for rest := []byte(strings.TrimSpace(text)); len(rest) > 0; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return errors.New("certificateAuthorities: there is something else than PEM blocks in it")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("certificateAuthorities: there is a %s in it, and only certificates belong there", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificateAuthorities: %w", err)
		}
		rest = []byte(strings.TrimSpace(string(rest)))
	}
	return nil
}

// under gives a host's entry what holds for all and it does not say otherwise.
func (h Host) under(all Host) Host {
	h.named = true
	h.CertificateAuthorities = strings.TrimSpace(strings.TrimSpace(all.CertificateAuthorities) + "\n" + h.CertificateAuthorities)
	if h.MaxConcurrent == 0 {
		h.MaxConcurrent = all.MaxConcurrent
	}
	if h.RequestsPerSecond == 0 {
		h.RequestsPerSecond = all.RequestsPerSecond
	}
	if h.PlainHTTP {
		h.CertificateAuthorities = ""
	}
	return h
}

// equal says whether two hosts are treated alike.
func (h Host) equal(other Host) bool { return reflect.DeepEqual(h, other) }

// asksAs says whether two hosts are asked in the same way, whatever their limits.
func (h Host) asksAs(other Host) bool {
	h.MaxConcurrent, h.RequestsPerSecond = other.MaxConcurrent, other.RequestsPerSecond
	return h.equal(other)
}

// roots are the certificates to trust; nil for the system's alone.
func (h Host) roots() (*x509.CertPool, error) {
	if h.CertificateAuthorities == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificates: %w", err)
	}
	pool.AppendCertsFromPEM([]byte(h.CertificateAuthorities)) // each was parsed before
	return pool, nil
}

// trusts says whether credentials for the registry may be sent to a token server: the registry's own host, one of the
// same registrable domain (publicsuffix.org), or one that is listed.
func (h Host) trusts(registry, server string) bool {
	if slices.Contains(h.TokenServers, server) {
		return true
	}
	own, asked := hostname(registry), hostname(server)
	if own == asked {
		return true
	}
	if net.ParseIP(own) != nil {
		return false
	}
	if suffix, icann := publicsuffix.PublicSuffix(own); !icann && !strings.Contains(suffix, ".") {
		return false // a private network's own names, which say nothing about who owns them
	}
	ownDomain, err := publicsuffix.EffectiveTLDPlusOne(own)
	if err != nil {
		return false
	}
	askedDomain, err := publicsuffix.EffectiveTLDPlusOne(asked)
	return err == nil && ownDomain == askedDomain
}

func hostname(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return strings.Trim(authority, "[]")
}
