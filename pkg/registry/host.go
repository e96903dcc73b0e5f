package registry

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Time limits of single steps. How long a whole call may take is its context's deadline.
const (
	dialTimeout   = 10 * time.Second
	tlsTimeout    = 10 * time.Second
	headerTimeout = 20 * time.Second // some registries read the manifest from slow object storage first
	idleTimeout   = 90 * time.Second
)

// host is what all requests to one host share. A request passes, in this order, the guard, the rate, the breaker, and
// what watches its answer.
type host struct {
	http.RoundTripper
	settings  Host
	gate      *gate
	breaker   *breaker
	transport *http.Transport

	// challenge is how the host wants to be authenticated to, once it has said so.
	challenge atomic.Pointer[transport.Challenge]
}

func newHost(authority string, settings Host) *host {
	h := &host{settings: settings, gate: newGate(int(settings.MaxConcurrent)), transport: &http.Transport{
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    int(settings.MaxConcurrent),
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}}
	dialer := &guardedDialer{authority: authority, settings: settings}
	h.transport.Proxy, h.transport.DialContext = dialer.proxy, dialer.dial
	roots, err := settings.roots()
	h.transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	h.breaker = newBreaker(authority, &watch{h.transport, stallTime})
	h.RoundTripper = &guard{settings: settings, broken: err, next: newRate(settings.RequestsPerSecond, h.breaker)}
	return h
}

// scheme is what the host is asked by.
func (h *host) scheme() string {
	if h.settings.PlainHTTP {
		return "http"
	}
	return "https"
}

// authorityOf gives the host of a URL in the form of a parsed reference: in lower case, without the port that HTTPS has
// by default.
func authorityOf(u *url.URL) string {
	authority := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		authority = strings.TrimSuffix(authority, ":443")
	}
	return authority
}
