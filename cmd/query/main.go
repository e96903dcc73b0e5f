// Command query lists the catalog over HTTPS, to those who may see it, from an index that a watch feeds.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/logging"
	k8sruntime "knative.dev/pkg/observability/runtime/k8s"
	"knative.dev/pkg/signals"

	catalogclient "imagecatalog.dev/catalog/pkg/client/injection/client"
	"imagecatalog.dev/catalog/pkg/keypair"
	"imagecatalog.dev/catalog/pkg/query"
)

var (
	address     = flag.String("address", ":8443", "where to listen for HTTPS")
	certificate = flag.String("certificate", "/etc/certificate", "`directory` of the certificate to serve with: tls.crt and tls.key, or server-cert.pem and server-key.pem")
	tally       = flag.String("tally-address", ":8081", "where the controller asks, by HTTP, how often entries were accessed")
	anonymous   = flag.Bool("anonymous-read", false, "take whoever sends no token for system:anonymous, and let RBAC decide what that one may see")
)

func main() {
	ctx, _ := injection.EnableInjectionOrDie(signals.NewContext(), nil) // parses the flags

	logger, level := sharedmain.SetupLoggerOrDie(ctx, "query")
	ctx = logging.WithLogger(ctx, logger)
	config := sharedmain.SetupConfigMapWatchOrDie(ctx, logger)
	sharedmain.WatchLoggingConfigOrDie(ctx, config, logger, level, "query")
	profiles := k8sruntime.NewProfilingServer(logger.Named("pprof"))
	metrics, traces := sharedmain.SetupObservabilityOrDie(ctx, "query", logger, profiles)
	sharedmain.WatchObservabilityConfigOrDie(ctx, config, profiles, logger, "query")
	go func() {
		if err := profiles.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			logger.Errorw("No profiles are served", zap.Error(err))
		}
	}()

	err := config.Start(ctx.Done())
	if err == nil {
		err = serve(ctx, metrics.Meter("imagecatalog.dev/catalog/pkg/query"))
	}
	flush, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	err = errors.Join(err, profiles.Shutdown(flush), metrics.Shutdown(flush), traces.Shutdown(flush))
	cancel()
	if err != nil {
		logger.Fatalw("The query server ended", zap.Error(err))
	}
	logger.Info("The query server has stopped")
}

func serve(ctx context.Context, meter metric.Meter) error {
	logger := logging.FromContext(ctx)
	reviewer, err := newReviewer(ctx, *anonymous)
	if err != nil {
		return err
	}
	pair, err := keypair.Open(*certificate, logger)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", *address, &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: pair.Certificate})
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *address, err)
	}
	tallied, err := new(net.ListenConfig).Listen(ctx, "tcp", *tally)
	if err != nil {
		return errors.Join(fmt.Errorf("listening on %s: %w", *tally, err), listener.Close())
	}
	logger.Infow("Serving the catalog", "address", listener.Addr().String())
	return query.Run(ctx, query.Source(catalogclient.Get(ctx)), reviewer, query.ClientsOf(injection.GetConfig(ctx)),
		query.Listeners{Catalog: listener, Tally: tallied}, meter)
}
