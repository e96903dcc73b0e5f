// Command query lists the catalog over HTTP from an index that a watch feeds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/logging"
	k8sruntime "knative.dev/pkg/observability/runtime/k8s"
	"knative.dev/pkg/signals"

	catalogclient "imagecatalog.dev/catalog/pkg/client/injection/client"
	"imagecatalog.dev/catalog/pkg/query"
)

func main() {
	address := flag.String("address", ":8080", "where to listen for HTTP")
	ctx, _ := injection.EnableInjectionOrDie(signals.NewContext(), nil) // parses the flags

	logger, level := sharedmain.SetupLoggerOrDie(ctx, "query")
	ctx = logging.WithLogger(ctx, logger)
	config := sharedmain.SetupConfigMapWatchOrDie(ctx, logger)
	sharedmain.WatchLoggingConfigOrDie(ctx, config, logger, level, "query")
	metrics, traces := sharedmain.SetupObservabilityOrDie(ctx, "query", logger, k8sruntime.NewProfilingServer(logger))

	err := config.Start(ctx.Done())
	if err == nil {
		err = serve(ctx, *address, metrics.Meter("imagecatalog.dev/catalog/pkg/query"))
	}
	flush, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	err = errors.Join(err, metrics.Shutdown(flush), traces.Shutdown(flush))
	cancel()
	if err != nil {
		logger.Fatalw("The query server ended", zap.Error(err))
	}
	logger.Info("The query server has stopped")
}

func serve(ctx context.Context, address string, meter metric.Meter) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", address, err)
	}
	logging.FromContext(ctx).Infow("Serving the catalog", "address", listener.Addr().String())
	return query.Run(ctx, query.Source(catalogclient.Get(ctx)), listener, meter)
}
