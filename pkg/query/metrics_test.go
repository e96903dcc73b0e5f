package query

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"knative.dev/pkg/observability/metrics/metricstest"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func TestMetricsNameRoutesAndPhasesOnly(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("query")
	catalog := indexOf(imagetest.Image("a", "one", 1), imagetest.Image("a", "two", 2), imagetest.Image("a", "three", 3, imagetest.Phase(v1alpha1.PhaseAvailable)))
	handler, err := newHandler(catalog, everybody(), newGates(), nil, newStopping(), meter)
	require.NoError(t, err)
	for _, path := range []string{"/v1/images", "/v1/images?limit=1", "/v1/images?limit=0", "/v1/namespaces/a/images/one", "/v1/namespaces/a/images/two", "/made/up"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	}
	metricstest.AssertMetrics(t, reader, metricstest.MetricsPresent("query", "http.server.request.duration", "imagecatalog.query.entries"))

	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	requests, entries := map[attribute.Set]uint64{}, map[attribute.Set]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			assert.Equal(t, "s", m.Unit)
			for _, point := range data.DataPoints {
				requests[point.Attributes] = point.Count
			}
		case metricdata.Gauge[int64]:
			for _, point := range data.DataPoints {
				entries[point.Attributes] = point.Value
			}
		}
	}
	assert.Equal(t, map[attribute.Set]uint64{
		served("/v1/images", 200):                             2,
		served("/v1/images", 400):                             1,
		served("/v1/namespaces/:namespace/images/:name", 200): 2,
		served("unmatched", 404):                              1,
	}, requests)
	assert.Equal(t, map[attribute.Set]int64{
		in(v1alpha1.PhasePending): 2, in(v1alpha1.PhaseVerifying): 0, in(v1alpha1.PhaseAvailable): 1,
		in(v1alpha1.PhaseUnavailable): 0, in(v1alpha1.PhaseFailed): 0,
	}, entries)
}

func served(route string, code int) attribute.Set {
	method := http.MethodGet
	if route == unmatched {
		method = otherMethod
	}
	return attribute.NewSet(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", code))
}

func in(phase v1alpha1.Phase) attribute.Set {
	return attribute.NewSet(attribute.String("phase", string(phase)))
}
