package faults

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Proxy is a host in front of a registry. Its methods may be called at any time.
type Proxy struct {
	// Host is its address and port, as a reference names it.
	Host string
	// URL is its address with the scheme.
	URL string

	ledger *Ledger
	server *httptest.Server

	mutex    sync.Mutex
	registry http.Handler
	faults   []Fault
	requests []*Request
}

// Site says where a proxy listens. The zero value is a free port of 127.0.0.1, in plain HTTP.
type Site struct {
	// Address is an IP address of this machine.
	Address string
	// Name is how the host is called instead of by its address.
	Name string
	// Certificate makes it speak TLS.
	Certificate *tls.Certificate
}

// NewProxy starts a proxy in front of a registry, which is Forward to a process or a handler of this one.
func NewProxy(ledger *Ledger, site Site, registry http.Handler) (*Proxy, error) {
	address := site.Address
	if address == "" {
		address = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0")) //nolint:noctx // it does not wait
	if err != nil {
		return nil, fmt.Errorf("listening for a proxy: %w", err)
	}
	p := &Proxy{Host: listener.Addr().String(), ledger: ledger, registry: registry}
	if site.Name != "" {
		p.Host = fmt.Sprintf("%s:%d", site.Name, listener.Addr().(*net.TCPAddr).Port)
	}
	p.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: p, ReadHeaderTimeout: time.Minute, ErrorLog: quiet}}
	if site.Certificate == nil {
		p.URL = "http://" + p.Host
		p.server.Start()
		return p, nil
	}
	p.URL = "https://" + p.Host
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{*site.Certificate}, MinVersion: tls.VersionTLS12}
	p.server.StartTLS()
	return p, nil
}

// Forward hands requests to the registry at an address such as http://127.0.0.1:5000, which sees the host that the client
// asked. Roots are the certificates to trust; nil for the system's.
func Forward(address *url.URL, roots *x509.CertPool) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(address)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableCompression:  true, // what is passed on is what was sent
			MaxIdleConnsPerHost: 64,
		},
		ErrorLog: quiet,
	}
}

// Close ends the proxy, and whatever its faults keep waiting.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// Inject has these faults, and no others, hold from the next request on. Of several that apply to a request the first does.
func (p *Proxy) Inject(faults ...Fault) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.faults = faults
}

// Move puts another registry behind the proxy.
func (p *Proxy) Move(registry http.Handler) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.registry = registry
}

// ServeHTTP takes a request down and has it answered.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // all of it: only then the server notices that a client leaves
	if err != nil {
		return // it left already
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	request := &Request{At: time.Now(), Host: p.Host, Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header.Clone(), Body: string(body)}
	registry, fault := p.admit(request, r)
	answer := &answer{ResponseWriter: w, wrote: func(status int) { p.answered(request, status) }}
	if fault == nil {
		registry.ServeHTTP(answer, r)
		return
	}
	fault.serve(answer, r, registry)
}

// admit enters a request, before it is answered, and finds the fault that is to answer it.
func (p *Proxy) admit(request *Request, r *http.Request) (registry http.Handler, fault *Fault) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.requests = append(p.requests, request)
	p.ledger.enter(request)
	i := slices.IndexFunc(p.faults, func(f Fault) bool { return f.applies(r) })
	if i < 0 {
		return p.registry, nil
	}
	request.Fault = p.faults[i].Name
	return p.registry, &p.faults[i]
}

func (p *Proxy) answered(request *Request, status int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	request.Status = status
}

// Log is a copy of the requests so far, in the order of their arrival.
func (p *Proxy) Log() Log {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	log := make(Log, len(p.requests))
	for i, request := range p.requests {
		log[i] = *request
	}
	return log
}

// Forget empties the proxy's log. The ledger keeps what was in it.
func (p *Proxy) Forget() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.requests = nil
}

// answer notes the status of an answer.
type answer struct {
	http.ResponseWriter
	wrote func(status int)
	once  sync.Once
}

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() { a.wrote(status) })
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(content []byte) (int, error) {
	a.once.Do(func() { a.wrote(http.StatusOK) })
	return a.ResponseWriter.Write(content)
}

// Unwrap lets http.ResponseController flush and take over the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
