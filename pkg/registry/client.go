package registry

import (
	"context"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	lru "github.com/hashicorp/golang-lru/v2"
)

// How much is kept of what many callers and hostile references could make many. What is evicted costs a request more
// when it is needed again.
const (
	mostHosts    = 4096
	mostAccounts = 4096
	mostAccesses = 16384 // a token for each repository of a registry that gives tokens
	mostImages   = 1024
)

// callTimeout is the longest that a look-up may take, whatever its caller's deadline.
const callTimeout = 2 * time.Minute

// Client asks registries. It is safe for concurrent use, and meant to be shared: it keeps connections, tokens, what it
// knows about the state of hosts, and what is found by digest and cannot change.
type Client struct {
	settings atomic.Pointer[Settings]
	share    atomic.Uint64 // bits of the part of the limits that is this client's
	waits    bool          // for a turn at a busy host
	atOnce   bool          // it asks before it knows whether it has to authenticate

	mutex sync.Mutex // of making what hosts and accounts lack
	hosts *lru.Cache[hostKey, *host]

	accounts *lru.Cache[accountKey, *account]
	accesses *lru.Cache[accessKey, *http.Client]
	images   *lru.Cache[imageKey, found]

	opening      flights[accessKey, *http.Client]
	heads        flights[lookup, Descriptor]
	descriptions flights[lookup, *Description]
	outlines     flights[lookup, *Description]
	referrers    flights[lookup, []Referrer]
	artifacts    flights[lookup, *Artifact]
}

// An Option changes how a client works.
type Option func(*Client)

// RefuseWhenBusy has the client answer with the reason Busy, and when to come again, instead of waiting for its turn at
// a host that is asked about as many images as it may be. It is for callers that have other hosts to turn to.
func RefuseWhenBusy() Option { return func(c *Client) { c.waits = false } }

// New makes a client. Nil settings are those of the zero value.
func New(settings *Settings, options ...Option) *Client {
	c := &Client{
		waits:    true,
		hosts:    mustCache(lru.NewWithEvict(mostHosts, func(_ hostKey, h *host) { h.transport.CloseIdleConnections() })),
		accounts: mustCache(lru.New[accountKey, *account](mostAccounts)),
		accesses: mustCache(lru.New[accessKey, *http.Client](mostAccesses)),
		images:   mustCache(lru.New[imageKey, found](mostImages)),
	}
	for _, option := range options {
		option(c)
	}
	c.share.Store(math.Float64bits(1))
	c.Configure(settings)
	return c
}

// mustCache passes the one error by that there is, of a size that is not positive.
func mustCache[K comparable, V any](cache *lru.Cache[K, V], err error) *lru.Cache[K, V] {
	if err != nil {
		panic(err)
	}
	return cache
}

// Configure has other settings hold from the next request on. A host that they treat as before keeps its connections,
// and what is known of its state.
func (c *Client) Configure(settings *Settings) {
	if settings == nil {
		settings = &Settings{}
	}
	c.settings.Store(settings)
	c.adjust()
}

// Share has the client keep to a part of the limits, above 0 and up to 1: the rest is that of others who ask for the same
// catalog.
func (c *Client) Share(part float64) {
	c.share.Store(math.Float64bits(part))
	c.adjust()
}

// adjust forgets the hosts that are treated otherwise now.
func (c *Client) adjust() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	changed := false
	for _, key := range c.hosts.Keys() {
		if known, ok := c.hosts.Peek(key); ok && !known.settings.equal(c.settingsOf(key)) {
			c.hosts.Remove(key)
			changed = true
		}
	}
	if changed {
		c.accesses.Purge() // a token may be from a server that is trusted no more
	}
}

// Settings are those that hold.
func (c *Client) Settings() *Settings { return c.settings.Load() }

// Turn is how long to wait before a look-up in a repository, because its host is asked about as many images as it may be;
// zero if one can begin now, or will be refused because the settings do not allow it. Who asks takes a turn: the next who
// asks is given a later one.
func (c *Client) Turn(repository name.Repository) time.Duration {
	if c.settings.Load().Allows(repository) != nil {
		return 0
	}
	now := time.Now()
	turn := c.host(authorityOfRegistry(repository), false).gate.turn(now)
	if turn.IsZero() {
		return 0
	}
	return turn.Sub(now)
}

// hostKey names a host as a reference does, or, foreign, as a registry does that redirects to it or has its tokens there.
type hostKey struct {
	authority string
	foreign   bool
}

// settingsOf a foreign host are those of its own entry: what "*" opens is for hosts that the catalog's users name, not for
// those that a registry names.
func (c *Client) settingsOf(key hostKey) Host {
	host := c.settings.Load().Host(key.authority)
	if key.foreign && !host.named {
		host.PrivateAddresses = false
	}
	part := math.Float64frombits(c.share.Load())
	host.MaxConcurrent = max(wholeNumber(math.Round(float64(host.MaxConcurrent)*part)), 1)
	host.RequestsPerSecond *= part
	return host
}

// host gives what is shared by all requests to a host.
func (c *Client) host(authority string, foreign bool) *host {
	key := hostKey{authority, foreign}
	if known, ok := c.hosts.Get(key); ok {
		return known
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if known, ok := c.hosts.Get(key); ok {
		return known
	}
	h := newHost(authority, c.settingsOf(key))
	c.hosts.Add(key, h)
	return h
}

// lookup is what makes two look-ups the same: a reference, on whose behalf it is looked up, and by which settings.
type lookup struct {
	reference string
	account   accountKey
	settings  *Settings
}

// look runs a look-up that the settings allow, once for all who want it at this time, and by the limits of its host.
func look[T any](ctx context.Context, c *Client, under *flights[lookup, T], ref name.Reference, keychain authn.Keychain, do func(context.Context, *session) (T, error)) (T, error) {
	var none T
	settings := c.Settings()
	s, err := c.prepare(ctx, ref.Context(), keychain)
	if err != nil {
		return none, err
	}
	gate := c.host(s.account.authority, false).gate
	if !c.waits { // nobody waits then, for somebody else's look-up neither
		leave, err := gate.refuse()
		if err != nil {
			return none, s.failure(ref.Name(), err)
		}
		defer leave()
	}
	value, err := under.join(ctx, lookup{ref.Name(), s.account.accountKey, settings}, s.interrupted(ref.Name()), func(ctx context.Context) (T, error) {
		if c.waits {
			leave, err := gate.wait(ctx)
			if err != nil {
				return none, s.failure(ref.Name(), err)
			}
			defer leave()
		}
		if err := c.open(ctx, s); err != nil {
			return none, err
		}
		return do(ctx, s)
	})
	return value, s.personal(err)
}
