package admission

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.uber.org/zap"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/network"
	"knative.dev/pkg/network/handlers"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/pkg/webhook"
)

// Certificates give the one to serve with now. The context is that of the controllers.
type Certificates func(context.Context) func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Server answers the API servers with knative's handler. knative's own server does so, too, but for how it ends: API
// servers keep their connections for as long as they have requests, whatever Endpoints say, so that a busy replica never
// falls quiet, and is killed in mid-request; or, with its idle connections closed, loses what is sent on one at that
// moment. Here each answer of a replica that is to end closes its own connection.
type Server struct {
	certificates Certificates
	reviewers    []any // webhook.AdmissionController
	running      sync.WaitGroup
}

// NewServer has no controllers yet.
func NewServer(certificates Certificates) *Server { return &Server{certificates: certificates} }

// configuring is what a controller of the webhook does to its configuration. Without the rest of it knative's main
// starts no server.
type configuring struct {
	controller.Reconciler
	pkgreconciler.LeaderAware
}

// Answering has the server answer for a controller of the webhook.
func (s *Server) Answering(construct injection.ControllerConstructor) injection.ControllerConstructor {
	return func(ctx context.Context, watcher configmap.Watcher) *controller.Impl {
		impl := construct(ctx, watcher)
		if reviewer, ok := impl.Reconciler.(admitting); ok {
			s.reviewers = append(s.reviewers, reviewer)
			impl.Reconciler = configuring{reviewer, reviewer}
		}
		return impl
	}
}

// Starting starts the server when the controllers before it are made, until the context ends.
func (s *Server) Starting(construct injection.ControllerConstructor) injection.ControllerConstructor {
	return func(ctx context.Context, watcher configmap.Watcher) *controller.Impl {
		reviews, err := webhook.New(ctx, s.reviewers)
		if err != nil {
			logging.FromContext(ctx).Fatalw("Making the webhook", "error", err)
		}
		s.serve(ctx, reviews)
		return construct(ctx, watcher)
	}
}

func (s *Server) serve(ctx context.Context, reviews http.Handler) {
	logger, options := logging.FromContext(ctx), webhook.GetOptions(ctx)
	drainer := &handlers.Drainer{Inner: leaving(ctx.Done(), reviews), QuietPeriod: options.GracePeriod}
	server := &http.Server{
		Addr:              fmt.Sprint(":", options.Port),
		Handler:           otelhttp.NewHandler(drainer, options.ServiceName, otelhttp.WithFilter(func(r *http.Request) bool { return !network.IsKubeletProbe(r) })),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificates(ctx)},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1, as API servers ask for
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          zap.NewStdLog(logger.Desugar()),
	}
	s.running.Go(func() {
		if err := server.ListenAndServeTLS("", ""); !errors.Is(err, http.ErrServerClosed) {
			logger.Fatalw("Serving the webhook", "error", err)
		}
	})
	s.running.Go(func() {
		<-ctx.Done()
		drainer.Drain()
		if err := server.Shutdown(context.WithoutCancel(ctx)); err != nil {
			logger.Errorw("Ending the webhook", "error", err)
		}
	})
}

// Wait returns when the server has ended.
func (s *Server) Wait() { s.running.Wait() }

// leaving closes the connection of each request that is answered after the end has begun.
func leaving(stopping <-chan struct{}, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stopping:
			w.Header().Set("Connection", "close")
		default:
		}
		next.ServeHTTP(w, r)
	})
}
