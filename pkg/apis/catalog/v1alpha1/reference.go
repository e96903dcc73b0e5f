package v1alpha1

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	// DefaultCheckInterval is the interval of an entry that names none.
	DefaultCheckInterval = time.Hour
	// MinCheckInterval is the shortest interval that the schema admits.
	MinCheckInterval = time.Minute
	// MaxCheckInterval is the longest, a year.
	MaxCheckInterval = 8760 * time.Hour
)

// Reference is the one form of an image's name: spellings of the same image have the same. With a digest, in the image
// or beside it, it is a name.Digest and the tag is left out: the digest decides. These spellings count as one:
//
//   - Docker's short forms: nginx, library/nginx, docker.io/nginx, index.docker.io/library/nginx, and
//     registry-1.docker.io/library/nginx, which is the host that answers for all of them;
//   - no tag and the tag latest;
//   - the host in upper or lower case, with or without the dot that ends an absolute DNS name;
//   - the host with and without :443, unless it may be asked by plain HTTP (localhost, loopback and private addresses),
//     where 443 is not the default; leading zeros of a port;
//   - an IPv6 address in any notation.
//
// Everything else is another image: other ports, other hosts of the same service, repositories and tags in another
// case. The form can be parsed again and is its own: for a spec whose image is ref.Name(), Reference gives ref.
func (s *CatalogImageSpec) Reference() (name.Reference, error) {
	ref, err := parseReference(s.Image)
	if err != nil {
		return nil, fmt.Errorf("parsing spec.image: %w", err)
	}
	if s.Digest == "" {
		return ref, nil
	}
	if err := checkDigest(s.Digest); err != nil {
		return nil, fmt.Errorf("parsing spec.digest: %w", err)
	}
	return ref.Context().Digest(s.Digest), nil
}

// parseReference asks for a tag or for a digest as the text does, because then the parser says what is wrong.
func parseReference(image string) (name.Reference, error) {
	if err := mistaken(image); err != nil {
		return nil, err
	}
	if scheme, _, ok := strings.Cut(image, "://"); ok {
		return nil, fmt.Errorf("a reference has no scheme: leave out %.20s://", scheme)
	}
	if beforeDigest, digest, pinned := strings.Cut(image, "@"); pinned {
		if err := checkDigest(digest); err != nil {
			return nil, err
		}
		ref, err := name.NewTag(beforeDigest)
		if err != nil {
			return nil, err
		}
		repository, err := canonicalRepository(ref.Repository)
		return repository.Digest(digest), err
	}
	ref, err := name.NewTag(image)
	if err != nil {
		return nil, err
	}
	repository, err := canonicalRepository(ref.Repository)
	return repository.Tag(ref.TagStr()), err
}

var errCredentials = errors.New("it holds a user name or password; leave them out, and name a pull secret in imagePullSecrets")

// mistaken finds what the parser would take for something else, or would not explain.
func mistaken(image string) error {
	_, afterAt, _ := strings.Cut(image, "@")
	switch {
	case strings.Contains(image, "$("):
		return errors.New("$(...) was not replaced: the Task or Pipeline has no such parameter or result")
	case sha256Digest.MatchString(image):
		return errors.New("a digest alone does not say of which repository")
	case strings.ContainsRune(afterAt, '/'): // which no digest has
		return errCredentials
	default:
		return nil
	}
}

var sha256Digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func checkDigest(digest string) error {
	if algorithm, _, _ := strings.Cut(digest, ":"); algorithm == "sha384" || algorithm == "sha512" {
		return fmt.Errorf("the catalog pins by sha256 digests only, and this is a %s digest", algorithm)
	}
	if !sha256Digest.MatchString(digest) {
		return fmt.Errorf("a digest is sha256: and 64 hexadecimal digits in lower case, and this is %.80q", digest)
	}
	return nil
}

// canonicalRepository refuses paths that a server would clean before it looks: they are further spellings of others.
func canonicalRepository(repository name.Repository) (name.Repository, error) {
	within := repository.RepositoryStr()
	if path.Clean("/"+within) != "/"+within {
		return name.Repository{}, fmt.Errorf("the repository %q has an empty part, or one of dots", within)
	}
	host, err := canonicalHost(repository.RegistryStr())
	if err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository(host + "/" + within)
}

const (
	httpsPort     = "443"
	dockerHubHost = "registry-1.docker.io"
)

// canonicalHost gives the one spelling of a registry's host and port.
func canonicalHost(authority string) (string, error) {
	host, port, err := splitPort(strings.ToLower(authority))
	if err != nil {
		return "", err
	}
	if host, err = canonicalHostname(host); err != nil {
		return "", err
	}
	switch bare := !strings.ContainsAny(host, ".:"); {
	case port != "" && port != httpsPort:
		return host + ":" + port, nil
	case host == dockerHubHost:
		return name.DefaultRegistry, nil
	case bare && host != "localhost": // without a port, a bare word is read as a part of the repository
		return host + ":" + httpsPort, nil
	case port != "" && !onlyHTTPS(host+":"+port):
		return host + ":" + port, nil
	default:
		return host, nil
	}
}

// onlyHTTPS says whether a client never tries plain HTTP on that host.
func onlyHTTPS(authority string) bool {
	registry, err := name.NewRegistry(authority)
	return err == nil && registry.Scheme() == "https"
}

// splitPort cuts off the port, "" where there is none.
func splitPort(authority string) (host, port string, err error) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", nil
	}
	host, port = authority[:colon], authority[colon+1:]
	if port == "" {
		return host, "", nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", "", fmt.Errorf("the registry %q has no port from 1 to 65535", authority)
	}
	return host, strconv.FormatUint(number, 10), nil
}

var hostname = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

func canonicalHostname(host string) (string, error) {
	if strings.HasPrefix(host, "[") {
		address, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !address.Is6() {
			return "", fmt.Errorf("the registry %q is no IPv6 address", host)
		}
		return "[" + address.String() + "]", nil
	}
	host = strings.TrimSuffix(host, ".")
	if !hostname.MatchString(host) {
		return "", fmt.Errorf("the registry %q is no host name: it has letters, digits, '-', '_' and single dots", host)
	}
	return host, nil
}

// Interval is how long after a check the registry is asked again. It keeps to the schema's bounds whatever is stored.
func (s *CatalogImageSpec) Interval() time.Duration {
	if s.CheckInterval == nil {
		return DefaultCheckInterval
	}
	return min(max(s.CheckInterval.Duration, MinCheckInterval), MaxCheckInterval)
}
