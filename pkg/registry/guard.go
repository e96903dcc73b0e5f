package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
)

const (
	// maxRedirects suffices for a registry that sends its readers to a store and that on to a mirror.
	maxRedirects = 5
	// maxHeaderBytes is the largest header of an answer that is read. Real ones have a few kilobytes.
	maxHeaderBytes = 64 << 10
)

// guard keeps requests to a host within its settings, before anything is sent.
type guard struct {
	settings Host
	broken   error // of settings that cannot be used
	next     http.RoundTripper
}

func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	if g.broken != nil {
		return nil, g.broken
	}
	host := authorityOf(request.URL)
	if request.URL.Scheme != "https" && (request.URL.Scheme != "http" || !g.settings.PlainHTTP) {
		return nil, blocked(plainHTTP, host, "plain HTTP to "+clipHost(host)+" is not configured")
	}
	if address, err := netip.ParseAddr(request.URL.Hostname()); err == nil && !g.settings.mayReach(address) {
		return nil, privateAddress(host, address)
	}
	response, err := g.next.RoundTrip(request)
	if speaksHTTP(err) {
		return nil, blocked(plainHTTP, host, "it speaks plain HTTP, which is not configured")
	}
	return response, err
}

func privateAddress(host string, address netip.Addr) error {
	return blocked(privateAddresses, host, fmt.Sprintf("%s has the address %s, which is not public and not configured", clipHost(host), address))
}

// mayReach says whether a connection to an address is in order.
func (h Host) mayReach(address netip.Addr) bool {
	address = embedded(address.Unmap().WithZone(""))
	switch {
	case h.PrivateAddresses && h.named:
		return true
	case address.IsPrivate() || shared.Contains(address):
		return h.PrivateAddresses
	default:
		return address.IsGlobalUnicast() && !anyOf(special, address)
	}
}

// shared is the address space of carriers' translators, which clouds use for cluster networks (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// special are further ranges that lead to no registry of the world (RFC 6890), or by way of a translator to one that is
// none of it: this network, protocol assignments, 6to4 relays, benchmarks, reserved ones; IPv4-compatible addresses,
// NAT64 of local use (RFC 8215), discards, Teredo and other protocol assignments, and site-local addresses.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("fec0::/10"),
}

func anyOf(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToIV = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// embedded gives the IPv4 address that a translator makes of an IPv6 one; else the address itself.
func embedded(address netip.Addr) netip.Addr {
	bytes := address.As16()
	switch {
	case nat64.Contains(address):
		return netip.AddrFrom4([4]byte(bytes[12:16]))
	case sixToIV.Contains(address):
		return netip.AddrFrom4([4]byte(bytes[2:6]))
	}
	return address
}

// guardedDialer connects to a host, whatever its name resolves to, only where the settings let it. A proxy of the
// environment is exempt: who runs the program chose it.
type guardedDialer struct {
	authority string // of the host
	settings  Host
	proxied   atomic.Pointer[string] // address of the proxy, if there is one
}

func (d *guardedDialer) proxy(request *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(request)
	if proxy != nil {
		address := withPort(proxy)
		d.proxied.Store(&address)
	}
	return proxy, err
}

func withPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (d *guardedDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if proxy := d.proxied.Load(); proxy == nil || *proxy != address {
		dialer.Control = func(_, resolved string, _ syscall.RawConn) error { return d.check(resolved) }
	}
	return dialer.DialContext(ctx, network, address)
}

// check sees the very address that is about to be connected to, so no second look-up of the name can differ.
func (d *guardedDialer) check(resolved string) error {
	address, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fmt.Errorf("parsing the address of %s: %w", d.authority, err)
	}
	if !d.settings.mayReach(address.Addr()) {
		return privateAddress(d.authority, address.Addr().Unmap())
	}
	return nil
}

// checkRedirect lets a registry send its readers to another host, but not out of TLS. Where that host may be is the
// guard's to decide.
func checkRedirect(next *http.Request, before []*http.Request) error {
	switch {
	case len(before) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case before[0].URL.Scheme == "https" && next.URL.Scheme != "https":
		return faultf(Blocked, "it redirects to %s, out of HTTPS", next.URL.Host)
	case next.URL.User != nil:
		return errors.New("it redirects to an address with a user name in it")
	}
	return nil
}
