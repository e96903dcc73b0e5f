package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// maxRedirects suffices for a registry that sends its readers to a store and that on to a mirror.
const maxRedirects = 5

// session reads one repository with one set of credentials. It is safe for concurrent use.
type session struct {
	repository name.Repository
	http       *http.Client
}

// open pings the registry and gets a token where it wants one. A nil keychain asks anonymously.
func (c *Client) open(ctx context.Context, repository name.Repository, keychain authn.Keychain) (*session, error) {
	s := &session{repository: repository}
	auth, err := resolve(ctx, repository, keychain)
	if err != nil {
		return nil, &Error{Reason: Unauthorized, Host: repository.RegistryStr(), Subject: repository.Name(), Err: err}
	}
	t, err := transport.NewWithContext(ctx, repository.Registry, auth, c.transport, []string{repository.Scope(transport.PullScope)})
	if err != nil {
		return nil, s.failure(repository.Name(), handshakeFault(err))
	}
	s.http = &http.Client{Transport: t, CheckRedirect: checkRedirect}
	return s, nil
}

func resolve(ctx context.Context, repository name.Repository, keychain authn.Keychain) (authn.Authenticator, error) {
	if keychain == nil {
		return authn.Anonymous, nil
	}
	auth, err := authn.Resolve(ctx, keychain, repository)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	return auth, nil
}

// handshakeFault keeps two misunderstandings away: a 404 here means that the host is no registry, not that the image is
// gone; and an error that is neither of the network nor a status may quote the answer of the token server.
func handshakeFault(err error) error {
	var status *transport.Error
	var request *url.Error
	switch {
	case errors.As(err, &status) && status.StatusCode == http.StatusNotFound:
		return faultf(RegistryUnavailable, "HTTP 404 at /v2/ or at its token server, as if it were no registry")
	case errors.As(err, &status), errors.As(err, &request):
		return err
	default:
		return faultf(RegistryUnavailable, "its authentication could not be understood")
	}
}

// failure gives an error of the network or of the bytes its reason and its subject.
func (s *session) failure(subject string, err error) error {
	return &Error{Reason: reasonFor(err), Host: s.repository.RegistryStr(), Subject: subject, Err: err}
}

// checkRedirect lets a registry send its readers to another host, but neither out of TLS nor, from outside, into a
// private network.
func checkRedirect(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	switch {
	case len(before) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case first.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("a redirect out of HTTPS was refused")
	case isPrivate(next.URL) && !isPrivate(first):
		return fmt.Errorf("a redirect to the private address %s was refused", next.URL.Hostname())
	}
	return nil
}

func isPrivate(u *url.URL) bool {
	address, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return u.Hostname() == "localhost"
	}
	address = address.Unmap()
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsUnspecified()
}
