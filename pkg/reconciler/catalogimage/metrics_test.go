package catalogimage

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	logtesting "knative.dev/pkg/logging/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// collected are the values by name and attributes; of a histogram the count.
func collected(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	values := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		note := func(attributes attribute.Set, value int64) {
			values[m.Name+"{"+attributes.Encoded(attribute.DefaultEncoder())+"}"] = value
		}
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				note(point.Attributes, int64(point.Count))
			}
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				note(point.Attributes, point.Value)
			}
		case metricdata.Gauge[int64]:
			for _, point := range data.DataPoints {
				note(point.Attributes, point.Value)
			}
		default:
			t.Errorf("%s is a %T", m.Name, m.Data)
		}
	}
	return values
}

func TestMetricsOfWhatIsDone(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	m, err := newMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("controller"))
	require.NoError(t, err)
	image := &fakeRegistry{image: single(digestA)}
	r := &Reconciler{
		registry: image, keychains: fakeKeychains{}, claims: &fakeClaims{}, labels: &fakeLabels{}, policies: fakePolicies{}, evidences: newEvidences(), journal: &journal{}, accesses: &accesses{}, metrics: m,
		now: nowIs(now), due: slotAfter, allowed: always,
	}
	ctx := logtesting.TestContextWithLogger(t)
	reconcile := func(i *v1alpha1.CatalogImage, err error) {
		image.err = err
		a := &announcing{
			journal: r.journal, metrics: m, events: kubefake.NewClientset().CoreV1(), now: r.now,
			generated: reconciling{end: func(context.Context) error { return r.ReconcileKind(ctx, i) }},
		}
		_ = a.Reconcile(ctx, key) // which asks to be called again
	}
	reconcile(entry(), nil)
	begun := collected(t, reader)
	assert.Contains(t, begun, "imagecatalog.drift{registry=quay.io}", "at zero")
	assert.Contains(t, begun, "imagecatalog.deleted{registry=quay.io}")
	reconcile(available(2*interval), nil)
	reconcile(available(2*interval, describedSingle(digestB)), nil)
	reconcile(available(2*interval), answer(registry.Throttled))
	reconcile(available(2*interval), answer(registry.NotFound))
	reconcile(available(2*interval), answer(registry.Busy)) // which is no check
	reconcile(available(0), nil)                            // nor is one that is not due

	assert.Equal(t, map[string]int64{
		"imagecatalog.check.duration{outcome=Resolved,registry=quay.io}":     3,
		"imagecatalog.check.duration{outcome=Throttled,registry=quay.io}":    1,
		"imagecatalog.check.duration{outcome=ImageDeleted,registry=quay.io}": 1,
		"imagecatalog.drift{registry=quay.io}":                               1,
		"imagecatalog.deleted{registry=quay.io}":                             1,
	}, collected(t, reader))
}

func TestMetricsOfHowThingsAre(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("controller")
	m, err := newMetrics(meter)
	require.NoError(t, err)
	g := &gauges{
		metrics: m,
		entries: storeOf(t,
			named("well", observed, resolved, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			named("late", observed, resolved, describedSingle(digestA), checked(3*interval), phase(v1alpha1.PhaseUnavailable)),
			named("new", func(i *v1alpha1.CatalogImage) { i.CreationTimestamp = metav1.NewTime(now.Add(-time.Minute)) }),
		),
		leases: leasesOf(t, leaseOf("autosd", "adopted")),
		states: func() []registry.State {
			return []registry.State{{Host: "quay.io", Away: true, UnderWay: 3}, {Host: "ghcr.io", Throttled: 2}}
		},
		due: func(_ *v1alpha1.CatalogImage, checked time.Time) time.Time { return checked.Add(interval) },
		now: nowIs(now),
	}
	require.NoError(t, g.register(meter))
	assert.Equal(t, map[string]int64{
		"imagecatalog.entries{phase=Pending}": 1, "imagecatalog.entries{phase=Verifying}": 0, "imagecatalog.entries{phase=Available}": 1,
		"imagecatalog.entries{phase=Unavailable}": 1, "imagecatalog.entries{phase=Failed}": 0,
		"imagecatalog.check.overdue{}":                      int64((2 * interval).Seconds()),
		"imagecatalog.claims{state=adopted}":                1,
		"imagecatalog.claims{state=pending}":                0,
		"imagecatalog.registry.away{registry=quay.io}":      1,
		"imagecatalog.registry.away{registry=ghcr.io}":      0,
		"imagecatalog.registry.throttled{registry=quay.io}": 0,
		"imagecatalog.registry.throttled{registry=ghcr.io}": 2,
		"imagecatalog.registry.lookups{registry=quay.io}":   3,
		"imagecatalog.registry.lookups{registry=ghcr.io}":   0,
	}, collected(t, reader))
}

func leasesOf(t *testing.T, leases ...*coordinationv1.Lease) cache.Store {
	t.Helper()
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	for _, lease := range leases {
		require.NoError(t, store.Add(lease))
	}
	return store
}

// Whoever may create entries can name any number of hosts.
func TestLabelsAreBounded(t *testing.T) {
	var labels hostLabels
	different := map[string]bool{}
	for range 2 {
		for n := range 10 * mostHosts {
			different[labels.label(fmt.Sprintf("r%d.example", n))] = true
		}
	}
	assert.Len(t, different, mostHosts+1)
	assert.Equal(t, "r0.example", labels.label("r0.example"))
	assert.Equal(t, otherHosts, labels.label("late.example"))
}
