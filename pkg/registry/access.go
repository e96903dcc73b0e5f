package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// userAgent lets the operators of a registry see who asks.
const userAgent = "image-catalog"

// accessKey is an account's way into a registry or, where that gives tokens, into one repository.
type accessKey struct {
	accountKey
	repository string
}

// open gets the session its way into the registry: the one that was found for an earlier session, or a new one, which
// takes a ping unless one was answered before, and a token where the registry wants one. The error is an *Error.
func (c *Client) open(ctx context.Context, s *session) error {
	for _, scope := range []string{"", s.repository.RepositoryStr()} {
		if known, ok := c.accesses.Get(accessKey{s.account.accountKey, scope}); ok {
			s.http, s.reused = known, true
			return nil
		}
	}
	if c.mayAskAtOnce(s) {
		c.askAtOnce(s)
		return nil
	}
	return c.enter(ctx, s)
}

// enter gets the session its way in by a handshake.
func (c *Client) enter(ctx context.Context, s *session) error {
	subject := s.repository.Name()
	opened, err := c.opening.join(ctx, accessKey{s.account.accountKey, s.repository.RepositoryStr()}, s.interrupted(subject),
		func(ctx context.Context) (*http.Client, error) {
			found, scope, err := c.access(ctx, s)
			if err != nil {
				return nil, s.failure(subject, err)
			}
			c.accesses.Add(accessKey{s.account.accountKey, scope}, found)
			return found, nil
		})
	s.http = opened
	return err
}

// reopen forgets how the session got in.
func (c *Client) reopen(ctx context.Context, s *session) error {
	for _, scope := range []string{"", s.repository.RepositoryStr()} {
		c.accesses.Remove(accessKey{s.account.accountKey, scope})
	}
	c.host(s.account.authority, false).challenge.Store(nil)
	s.reused = false
	return c.enter(ctx, s)
}

// access does the handshake. The scope is that of the access: empty for the whole registry.
func (c *Client) access(ctx context.Context, s *session) (access *http.Client, scope string, err error) {
	return c.accessBy(ctx, s, transport.NewUserAgent(retrying(s.account), userAgent))
}

func (c *Client) accessBy(ctx context.Context, s *session, next http.RoundTripper) (access *http.Client, scope string, err error) {
	keeper := &keeper{own: map[string]bool{s.account.authority: true}, next: next}
	challenge, err := c.challenge(ctx, s, keeper)
	if err != nil {
		return nil, "", handshakeFault(err)
	}
	var token *transport.Token
	if strings.EqualFold(challenge.Scheme, "bearer") {
		scope = s.repository.RepositoryStr()
		if token, err = c.token(ctx, s, challenge, keeper); err != nil {
			c.host(s.account.authority, false).challenge.Store(nil) // the registry may name another token server by now
			return nil, "", handshakeFault(err)
		}
	}
	t, err := transport.FromToken(s.repository.Registry, s.account.auth, keeper, challenge, token)
	if err != nil {
		return nil, "", handshakeFault(err)
	}
	return &http.Client{Transport: t, CheckRedirect: checkRedirect}, scope, nil
}

// challenge is how the registry wants to be authenticated to.
func (c *Client) challenge(ctx context.Context, s *session, by http.RoundTripper) (*transport.Challenge, error) {
	host := c.host(s.account.authority, false)
	if known := host.challenge.Load(); known != nil {
		return known, nil
	}
	found, err := transport.Ping(ctx, s.repository.Registry, fixedScheme{s.scheme, by})
	if err != nil {
		return nil, err
	}
	host.challenge.Store(found)
	return found, nil
}

// token exchanges the account's credentials for a token that opens the repository.
func (c *Client) token(ctx context.Context, s *session, challenge *transport.Challenge, keeper *keeper) (*transport.Token, error) {
	config, err := authn.Authorization(ctx, s.account.auth)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	if config.RegistryToken != "" {
		return &transport.Token{Token: config.RegistryToken}, nil
	}
	if s.account.auth != authn.Anonymous {
		server, err := c.tokenServer(s.account.authority, challenge.Parameters["realm"])
		if err != nil {
			return nil, err
		}
		keeper.own[server] = true
	}
	token, err := transport.Exchange(ctx, s.repository.Registry, s.account.auth, keeper, []string{s.repository.Scope(transport.PullScope)}, challenge)
	if err != nil {
		return nil, err
	}
	if token.AccessToken != "" {
		token.Token = token.AccessToken
	}
	return token, nil
}

// tokenServer gives the host of a realm if credentials for the registry may go there.
func (c *Client) tokenServer(registry, realm string) (string, error) {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" {
		return "", errors.New("the address of the token server cannot be read")
	}
	server := authorityOf(u)
	if !c.settings.Load().Host(registry).trusts(registry, server) {
		return "", blocked(tokenServers, server, "it wants the credentials sent to "+clipHost(server)+", which is not listed in its tokenServers")
	}
	return server, nil
}

// fixedScheme keeps go-containerregistry's ping from guessing: it tries HTTPS, and on some addresses HTTP as well. The
// first attempt goes by the scheme that is configured, the second nowhere. A redirect names its scheme itself, and may not
// lead out of HTTPS.
type fixedScheme struct {
	scheme string
	next   http.RoundTripper
}

var errGuess = errors.New("plain HTTP is not configured")

func (f fixedScheme) RoundTrip(request *http.Request) (*http.Response, error) {
	redirected := request.Response != nil
	switch {
	case redirected && (f.scheme == "http" || request.URL.Scheme == "https"):
		return f.next.RoundTrip(request)
	case redirected:
		return nil, faultf(Blocked, "it redirects to %.255s, out of HTTPS", request.URL.Host)
	case request.URL.Scheme != "https":
		return nil, errGuess
	}
	request = request.Clone(request.Context())
	request.URL.Scheme = f.scheme
	return f.next.RoundTrip(request)
}

// handshakeFault keeps two misunderstandings away: a 404 here means that the host is no registry, not that the image is
// gone; and an error that is neither of the network nor a status may quote the answer of the token server.
func handshakeFault(err error) error {
	var status *transport.Error
	var request *url.Error
	var found *fault
	switch {
	case errors.As(err, &status) && status.StatusCode == http.StatusNotFound:
		return faultf(RegistryUnavailable, "HTTP 404 at /v2/ or at its token server, as if it were no registry")
	case errors.As(err, &status), errors.As(err, &request), errors.As(err, &found):
		return err
	default:
		return faultf(RegistryUnavailable, "its authentication could not be understood")
	}
}
