package catalogimage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/registry"
)

// metrics count what the controller does. No label is an image's: what users and registries name without bound, hosts,
// is bounded here.
type metrics struct {
	checks         metric.Float64Histogram
	drift, deleted metric.Int64Counter
	hosts          hostLabels
}

// newMetrics makes the histogram imagecatalog.check.duration in seconds, whose count is that of the checks, and the
// counters imagecatalog.drift and imagecatalog.deleted.
func newMetrics(meter metric.Meter) (*metrics, error) {
	checks, err := meter.Float64Histogram("imagecatalog.check.duration",
		metric.WithDescription("Duration of checks by registry and outcome: Resolved, or the reason why not"),
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60))
	if err != nil {
		return nil, fmt.Errorf("making the histogram of checks: %w", err)
	}
	drift, err := meter.Int64Counter("imagecatalog.drift",
		metric.WithDescription("Tags that were found to name another image than before, by registry"),
		metric.WithUnit("{tag}"))
	if err != nil {
		return nil, fmt.Errorf("making the counter of drift: %w", err)
	}
	deleted, err := meter.Int64Counter("imagecatalog.deleted",
		metric.WithDescription("Images that were found deleted, by registry"),
		metric.WithUnit("{image}"))
	if err != nil {
		return nil, fmt.Errorf("making the counter of deleted images: %w", err)
	}
	return &metrics{checks: checks, drift: drift, deleted: deleted}, nil
}

// checked counts a check. The counters of its registry begin with it, at zero: Prometheus sees no increase in a series that
// begins with one.
func (m *metrics) checked(ctx context.Context, host, outcome string, took time.Duration) {
	of := m.of(host)
	m.checks.Record(ctx, took.Seconds(), of, metric.WithAttributes(attribute.String("outcome", outcome)))
	m.drift.Add(ctx, 0, of)
	m.deleted.Add(ctx, 0, of)
}

// announced counts what was announced of an image.
func (m *metrics) announced(ctx context.Context, reason, host string) {
	switch reason {
	case eventDrift:
		m.drift.Add(ctx, 1, m.of(host))
	case eventImageDeleted:
		m.deleted.Add(ctx, 1, m.of(host))
	}
}

func (m *metrics) of(host string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("registry", m.hosts.label(host)))
}

// mostHosts is how many registries have a label of their own; the rest share one.
const (
	mostHosts  = 100
	otherHosts = "other"
)

// hostLabels gives the first hosts that are asked about labels of their own.
type hostLabels struct {
	mutex sync.Mutex
	known map[string]bool
}

func (l *hostLabels) label(host string) string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.known == nil {
		l.known = map[string]bool{}
	}
	if !l.known[host] && len(l.known) >= mostHosts {
		return otherHosts
	}
	l.known[host] = true
	return host
}

// gauges are read from what the controller knows when somebody collects.
type gauges struct {
	*metrics
	entries, leases cache.Store
	states          func() []registry.State
	due             func(*v1alpha1.CatalogImage, time.Time) time.Time
	now             func() time.Time
}

// register makes the gauges of entries by phase, of the longest overdue check, of claims, and of registries.
func (g *gauges) register(meter metric.Meter) error {
	for name, gauge := range map[string]struct {
		description, unit string
		observe           metric.Int64Callback
	}{
		"imagecatalog.entries":            {"Entries by phase", "{entry}", g.observePhases},
		"imagecatalog.check.overdue":      {"How long the check that is overdue the longest is overdue", "s", g.observeOverdue},
		"imagecatalog.claims":             {"Claims by state: adopted, or pending until their entry is stored", "{claim}", g.observeClaims},
		"imagecatalog.registry.away":      {"1 for a registry that is left alone because it gives no answers, else 0", "{registry}", g.observe(away)},
		"imagecatalog.registry.throttled": {"Accounts of a registry that it has asked to stay away", "{account}", g.observe(throttled)},
		"imagecatalog.registry.lookups":   {"Look-ups of a registry that are under way", "{lookup}", g.observe(underWay)},
	} {
		_, err := meter.Int64ObservableGauge(name, metric.WithDescription(gauge.description), metric.WithUnit(gauge.unit), metric.WithInt64Callback(gauge.observe))
		if err != nil {
			return fmt.Errorf("making the gauge %s: %w", name, err)
		}
	}
	return nil
}

func away(s registry.State) int64 {
	if s.Away {
		return 1
	}
	return 0
}

func throttled(s registry.State) int64 { return int64(s.Throttled) }
func underWay(s registry.State) int64  { return int64(s.UnderWay) }

// observe sums a number up by registry.
func (g *gauges) observe(number func(registry.State) int64) metric.Int64Callback {
	return func(_ context.Context, gauge metric.Int64Observer) error {
		sums := map[string]int64{}
		for _, s := range g.states() {
			sums[g.hosts.label(s.Host)] += number(s)
		}
		for host, sum := range sums {
			gauge.Observe(sum, metric.WithAttributes(attribute.String("registry", host)))
		}
		return nil
	}
}

// observePhases gives every phase, so that an alert on one sees a value when there is none.
func (g *gauges) observePhases(_ context.Context, gauge metric.Int64Observer) error {
	counts := map[v1alpha1.Phase]int64{}
	for _, object := range g.entries.List() {
		counts[object.(*v1alpha1.CatalogImage).Status.Phase]++
	}
	counts[v1alpha1.PhasePending] += counts[""] // of which no check was attempted
	for _, phase := range v1alpha1.Phases() {
		gauge.Observe(counts[phase], metric.WithAttributes(attribute.String("phase", string(phase))))
	}
	return nil
}

func (g *gauges) observeOverdue(_ context.Context, gauge metric.Int64Observer) error {
	longest := time.Duration(0)
	for _, object := range g.entries.List() {
		entry := object.(*v1alpha1.CatalogImage)
		due := entry.CreationTimestamp.Time
		if checked := entry.Status.LastCheckedAt; checked != nil {
			due = g.due(entry, checked.Time)
		}
		longest = max(longest, g.now().Sub(due))
	}
	gauge.Observe(int64(longest.Seconds()))
	return nil
}

func (g *gauges) observeClaims(_ context.Context, gauge metric.Int64Observer) error {
	counts := map[bool]int64{}
	for _, object := range g.leases.List() {
		counts[claim.IsAdopted(object.(*coordinationv1.Lease))]++
	}
	for adopted, state := range map[bool]string{true: "adopted", false: "pending"} {
		gauge.Observe(counts[adopted], metric.WithAttributes(attribute.String("state", state)))
	}
	return nil
}
