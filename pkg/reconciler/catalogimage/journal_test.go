package catalogimage

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	events "k8s.io/client-go/tools/record"
	"knative.dev/pkg/controller"
	logtesting "knative.dev/pkg/logging/testing"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// reconciling is a generated reconciler that ends as it is told.
type reconciling struct {
	reconciler.LeaderAware
	end func(context.Context) error
}

func (r reconciling) Reconcile(ctx context.Context, _ string) error { return r.end(ctx) }

// What a status tells is announced when it is stored, and not before: it is announced once then, also after a crash.
func TestNotesAreAnnouncedWithTheirStatus(t *testing.T) {
	own, foreign := errors.New("the labels could not be aligned"), errors.New("the status could not be stored")
	for title, test := range map[string]struct {
		event, err error
		announced  int
	}{
		"stored":                   {nil, nil, 1},
		"stored, and due again":    {controller.NewRequeueAfter(interval), nil, 1},
		"stored, with another end": {own, nil, 1},
		"not stored":               {nil, foreign, 0},
		"not stored, and due":      {controller.NewRequeueAfter(interval), foreign, 0},
	} {
		recorder, notes := events.NewFakeRecorder(10), &journal{}
		counted, err := newMetrics(noop.Meter{})
		require.NoError(t, err)
		a := &announcing{journal: notes, metrics: counted, generated: reconciling{end: func(ctx context.Context) error {
			ctx = controller.WithEventRecorder(ctx, recorder)
			notes.add(ctx, entry(), corev1.EventTypeNormal, eventRecovered, "it is back")
			notes.end(entry(), test.event)
			if test.err != nil {
				return test.err
			}
			return test.event
		}}}
		_ = a.Reconcile(logtesting.TestContextWithLogger(t), key) // its end is the generated reconciler's
		assert.Len(t, recorder.Events, test.announced, title)
		assert.Empty(t, notes.pages, "%s: nothing is left for the next time", title)
	}
}

func TestTheTurnstile(t *testing.T) {
	passed := 0
	ctx := logtesting.TestContextWithLogger(t)
	impl := newImpl(t)
	stile, ok := impl.Reconciler.(*turnstile)
	require.True(t, ok, "%T", impl.Reconciler)
	gate, ok := stile.generated.(*upToDate)
	require.True(t, ok, "%T", stile.generated)
	_, ok = gate.generated.(*announcing)
	require.True(t, ok, "%T", gate.generated)

	stile.generated = reconciling{end: func(context.Context) error { passed++; return nil }}
	store := storeOf(t, entry(), named("checked", observed, resolved, describedSingle(digestA), checked(0)), named("odd", image("UPPER/case:1")))
	stile.entries, stile.untilDue = store, (&Reconciler{now: nowIs(now), due: slotAfter, allowed: always}).untilDue
	stile.turn = func(repository name.Repository) time.Duration {
		assert.Equal(t, "quay.io/acme/autosd", repository.Name())
		return time.Second
	}
	requeued, after := controller.IsRequeueKey(stile.Reconcile(ctx, key))
	assert.True(t, requeued)
	assert.Equal(t, time.Second, after)
	assert.Zero(t, passed, "nothing is read, decided or written")

	for _, through := range []string{"radar/checked", "radar/odd", "radar/gone"} {
		passed = 0
		require.NoError(t, stile.Reconcile(ctx, through))
		assert.Equal(t, 1, passed, through)
	}
	stile.turn = func(name.Repository) time.Duration { return 0 }
	require.NoError(t, stile.Reconcile(ctx, key))
	assert.Equal(t, 2, passed)
}

func always(name.Repository) bool { return true }

func nowIs(at time.Time) func() time.Time { return func() time.Time { return at } }

func storeOf(t *testing.T, entries ...*v1alpha1.CatalogImage) cache.Store {
	t.Helper()
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	for _, i := range entries {
		require.NoError(t, store.Add(i))
	}
	return store
}
