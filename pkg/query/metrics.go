package query

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/felixge/httpsnoop"
	"github.com/julienschmidt/httprouter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// stopwatch records how long requests take, by method, route and status code: nothing that a client makes up becomes a label.
type stopwatch struct{ duration metric.Float64Histogram }

// routeLabels are those of the requests that match a route, made once for each status code.
type routeLabels struct {
	method, route string
	of            sync.Map // status code to []metric.RecordOption
}

// newStopwatch makes the histogram http.server.request.duration of OpenTelemetry's semantic conventions, in seconds.
func newStopwatch(meter metric.Meter) (*stopwatch, error) {
	duration, err := meter.Float64Histogram("http.server.request.duration",
		metric.WithDescription("Duration of HTTP requests by method, route and status code"),
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	if err != nil {
		return nil, fmt.Errorf("making the histogram of request durations: %w", err)
	}
	return &stopwatch{duration: duration}, nil
}

func (s *stopwatch) time(method, route string, next endpoint) httprouter.Handle {
	counted := &routeLabels{method: method, route: route}
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params) {
		served := httpsnoop.CaptureMetricsFn(w, func(w http.ResponseWriter) { next.serve(w, r, path) })
		s.duration.Record(r.Context(), served.Duration.Seconds(), counted.with(served.Code)...)
	}
}

func (l *routeLabels) with(code int) []metric.RecordOption {
	if known, ok := l.of.Load(code); ok {
		return known.([]metric.RecordOption)
	}
	made := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
		attribute.String("http.request.method", l.method),
		attribute.String("http.route", l.route),
		attribute.Int("http.response.status_code", code)))}
	l.of.Store(code, made)
	return made
}

// countEntries makes the gauge imagecatalog.query.entries: the entries in the index by phase. They are counted when
// somebody collects. A phase without entries is 0, so that an alert on it sees a value.
func countEntries(meter metric.Meter, catalog *index.Index) error {
	_, err := meter.Int64ObservableGauge("imagecatalog.query.entries",
		metric.WithDescription("Entries of the catalog by phase"),
		metric.WithUnit("{entry}"),
		metric.WithInt64Callback(func(_ context.Context, gauge metric.Int64Observer) error {
			counts := map[string]int{}
			for _, c := range catalog.Latest().Counts(index.Phase, &index.Query{}) {
				counts[c.Value] = c.Count
			}
			for _, phase := range v1alpha1.Phases() {
				gauge.Observe(int64(counts[string(phase)]), metric.WithAttributes(attribute.String("phase", string(phase))))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("making the gauge of entries: %w", err)
	}
	return nil
}
