package plane

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Gateway is between a process and the API server. It takes down what the process writes about the subjects of a test, and
// can have the process crash at one of these writes. So a crash can be put between any two writes, and there is nothing in
// the program that is there for tests.
type Gateway struct {
	process *Process
	api     http.Handler
	server  *httptest.Server

	mutex    sync.Mutex
	subjects []string
	writes   []*Write
	crash    crash
}

// Write is a request that may change something.
type Write struct {
	// Verb of HTTP, and the resource with its subresource, as in "PUT catalogimages/status".
	What string
	// Stored says whether the API server did it.
	Stored bool
}

// crash is where a process is to end.
type crash struct {
	at     int // the number of the write, from 1; 0 for none
	stored bool
	over   chan struct{}
}

// NewGateway makes a gateway for a process, which takes that way from its next start on until the gateway is closed.
func (p *Plane) NewGateway(process *Process) (*Gateway, error) {
	address, err := url.Parse(p.Config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the API server: %w", err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(p.Config)) // the process brings its own token
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	g := &Gateway{process: process, api: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(address) },
		Transport:     transport,
		FlushInterval: -1, // a watch is heard of at once
		ErrorLog:      log.New(io.Discard, "", 0),
	}}
	g.server = httptest.NewTLSServer(g) // without TLS a client would send no token
	process.gateway = &clientcmdapi.Cluster{
		Server:                   g.server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.server.Certificate().Raw}),
	}
	return g, nil
}

// Close ends the gateway. The process should have ended before.
func (g *Gateway) Close() {
	g.process.gateway = nil
	g.server.CloseClientConnections()
	g.server.Close()
}

// Follow has writes counted, from now on, whose path or content has one of these words. Those of an election never are.
func (g *Gateway) Follow(subjects ...string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.subjects, g.writes, g.crash = subjects, nil, crash{}
}

// Writes are those that were counted, in the order of their arrival.
func (g *Gateway) Writes() []Write {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	writes := make([]Write, len(g.writes))
	for n, write := range g.writes {
		writes[n] = *write
	}
	return writes
}

// CrashAt has the process killed at a write that is counted, the first being 1: before it reaches the API server, or when
// it is stored there and the process has not heard of it. The channel is closed when that is done.
func (g *Gateway) CrashAt(write int, stored bool) (over <-chan struct{}) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.crash = crash{at: write, stored: stored, over: make(chan struct{})}
	return g.crash.over
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		g.api.ServeHTTP(w, r)
		return
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return // the process is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	write, crash := g.enter(r, content)
	if crash.over != nil && !crash.stored {
		g.end(crash)
	}
	answer := httptest.NewRecorder()
	g.api.ServeHTTP(answer, r)
	g.answered(write, answer.Code)
	if crash.over != nil {
		g.end(crash)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // a process that is gone need not hear
}

// enter counts a write, and gives the crash that is to be at it.
func (g *Gateway) enter(r *http.Request, content []byte) (*Write, crash) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	write := &Write{What: r.Method + " " + resource(r.URL.Path)}
	if !slices.ContainsFunc(g.subjects, func(s string) bool { return strings.Contains(r.URL.Path, s) || bytes.Contains(content, []byte(s)) }) {
		return write, crash{}
	}
	g.writes = append(g.writes, write)
	if len(g.writes) != g.crash.at {
		return write, crash{}
	}
	return write, g.crash
}

// resource is what follows the namespace in a path, without the name of the object.
func resource(path string) string {
	_, rest, _ := strings.Cut(path, "/namespaces/")
	parts := strings.Split(rest, "/") // namespace, resource, name, subresource
	if len(parts) == 4 {
		return parts[1] + "/" + parts[3]
	}
	return parts[min(1, len(parts)-1)]
}

func (g *Gateway) answered(write *Write, status int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	write.Stored = status < http.StatusBadRequest
}

// end kills the process, and the request with it.
func (g *Gateway) end(crash crash) {
	_ = g.process.Kill() // it runs: the request is its own
	close(crash.over)
	panic(http.ErrAbortHandler)
}
