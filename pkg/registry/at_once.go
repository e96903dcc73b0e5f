package registry

import (
	"context"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// AskAtOnce has the client begin with what it is asked for, and not with a ping, at registries for which it has no
// credentials. It is for programs that look at one image and end. A registry that shows the image to everybody takes a
// request less then, and one that wants a token no more. What a registry does not show in this way it is asked for as ever.
func AskAtOnce() Option { return func(c *Client) { c.atOnce = true } }

// mayAskAtOnce says whether nothing speaks against asking without a handshake.
func (c *Client) mayAskAtOnce(s *session) bool {
	return c.atOnce && s.account.auth == authn.Anonymous && c.host(s.account.authority, false).challenge.Load() == nil
}

// askAtOnce has the session ask without a handshake. Whether that is a way in shows with the first answer.
func (c *Client) askAtOnce(s *session) {
	host := c.host(s.account.authority, false)
	next := &listener{registry: s.repository.Registry, authority: s.account.authority, scheme: s.scheme, host: host, next: s.account}
	s.unproven = true
	s.http = &http.Client{Transport: transport.NewUserAgent(retrying(next), userAgent), CheckRedirect: checkRedirect}
}

// prove notes that the way in is one, for the next session.
func (s *session) prove() {
	s.unproven = false
	s.account.client.accesses.Add(accessKey{s.account.accountKey, s.repository.RepositoryStr()}, s.http)
}

// mayDependOnWho recognises answers that somebody else may not get, or that a gateway gives whose registry is away: before
// they count there is a handshake.
func mayDependOnWho(err error) bool {
	switch code, _ := statusOf(err); code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return false
}

// listener learns how the registry wants to be authenticated to from an answer that says so, which saves the ping.
type listener struct {
	registry          name.Registry
	authority, scheme string
	host              *host
	next              http.RoundTripper
}

func (l *listener) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusUnauthorized || authorityOf(request.URL) != l.authority {
		return response, err
	}
	if response.Header.Get("WWW-Authenticate") != "" {
		l.learn(request.Context(), response.Header)
	}
	return response, nil
}

// learn has the header read as that of a ping. What cannot be read in it there will be a ping for.
func (l *listener) learn(ctx context.Context, header http.Header) {
	said := answer(func(request *http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusUnauthorized, Header: header, Body: http.NoBody, Request: request}
	})
	if challenge, err := transport.Ping(ctx, l.registry, fixedScheme{l.scheme, said}); err == nil {
		l.host.challenge.Store(challenge)
	}
}

// answer is one that was given before.
type answer func(*http.Request) *http.Response

// RoundTrip implements http.RoundTripper.
func (a answer) RoundTrip(request *http.Request) (*http.Response, error) { return a(request), nil }
