package registry

import (
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Time limits of single steps. How long a whole call may take is its context's deadline.
const (
	dialTimeout   = 10 * time.Second
	tlsTimeout    = 10 * time.Second
	headerTimeout = 20 * time.Second // some registries read the manifest from slow object storage first
	idleTimeout   = 90 * time.Second
	idlePerHost   = 16
)

// Client asks registries. It is safe for concurrent use; connections are kept and shared.
type Client struct {
	transport http.RoundTripper
}

// New makes a client.
func New() *Client { return &Client{transport: retrying(newTransport())} }

func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: headerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idlePerHost,
		ForceAttemptHTTP2:     true,
	}
}

// retrying repeats a request at once when the connection breaks or the registry has a moment's trouble. A throttling
// registry (429) is not asked again: it said so.
func retrying(inner http.RoundTripper) http.RoundTripper {
	return transport.NewRetry(inner,
		transport.WithRetryBackoff(transport.Backoff{Duration: 100 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}),
		transport.WithRetryPredicate(isTransient),
		transport.WithRetryStatusCodes(http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout),
	)
}
