package query

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/logging"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/query/index"
)

const (
	headerTimeout = 5 * time.Second // to send the header of a request
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second // to take an answer, the slowest reader included
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10

	// quietTime is how long the server goes on answering after readiness failed, so that every proxy of the cluster
	// learns of it before a connection is refused.
	quietTime = 5 * time.Second
	// finishTime is what requests in flight then have to finish. Both fit in a pod's 30 seconds of grace.
	finishTime = 20 * time.Second
)

// Run serves what the API server gives of the catalog, to those whom the reviewer lets see it, until the context ends or
// serving fails. Run closes the listeners and returns nil after an orderly stop.
func Run(ctx context.Context, from cache.ListerWatcher, reviewer *access.Reviewer, clients Clients, on Listeners, meter metric.Meter) error {
	catalog := index.New()
	server, err := NewServer(catalog, reviewer, clients, meter)
	if err != nil {
		return errors.Join(err, on.Catalog.Close(), on.Tally.Close())
	}
	tally := newTally(catalog)
	// A server that is stopping still answers: it follows the catalog, and tells who was shown what, until it has ended.
	following, ended := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { catalog.Run(following, from); return nil })
	group.Go(func() error { return ignoreClosed(tally.Serve(on.Tally)) })
	group.Go(func() error {
		defer ended()
		return errors.Join(server.Serve(ctx, on.Catalog), tally.Close())
	})
	return group.Wait()
}

// stopping is how far the end of a server has come.
type stopping struct {
	announced atomic.Bool   // no new clients are wanted
	ended     chan struct{} // closed when watches are to end
}

func newStopping() *stopping { return &stopping{ended: make(chan struct{})} }

// Server serves the catalog over HTTP, of which the listener makes HTTPS.
type Server struct {
	http     http.Server
	gates    *gates
	stopping *stopping
	after    func(time.Duration) <-chan time.Time
}

// NewServer gives a server of what the index holds, to those whom the reviewer lets see it. It reports to the meter.
func NewServer(catalog *index.Index, reviewer *access.Reviewer, clients Clients, meter metric.Meter) (*Server, error) {
	server := &Server{
		http: http.Server{
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
		},
		gates:    newGates(),
		stopping: newStopping(),
		after:    time.After,
	}
	handler, err := newHandler(catalog, reviewer, server.gates, clients, server.stopping, meter)
	if err != nil {
		return nil, err
	}
	server.http.Handler = server.leaving(handler)
	server.http.Protocols = new(http.Protocols)
	server.http.Protocols.SetHTTP1(true) // alone: see kept
	return server, nil
}

// leaving has each answer be the last of its connection once the server is stopping: the client's next request finds another
// replica. A connection that was closed instead might have a request on its way.
func (s *Server) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.announced.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Serve answers requests until the context ends, then stops: /readyz fails, a quiet time passes, the listener is
// closed and requests in flight finish. It closes the listener and returns nil after an orderly stop.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.http.ErrorLog = zap.NewStdLog(logging.FromContext(ctx).Desugar())
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	err := s.stop(context.WithoutCancel(ctx))
	return errors.Join(err, ignoreClosed(<-served))
}

func (s *Server) stop(ctx context.Context) error {
	s.stopping.announced.Store(true)
	<-s.after(quietTime)
	s.http.SetKeepAlivesEnabled(false) // those of watches end with them
	close(s.stopping.ended)
	ctx, cancel := context.WithTimeout(ctx, finishTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("waiting for requests in flight: %w", err), s.http.Close())
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
