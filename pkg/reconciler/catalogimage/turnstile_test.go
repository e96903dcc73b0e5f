package catalogimage

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/cache"
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

func TestTheTurnstile(t *testing.T) {
	passed := 0
	ctx := logtesting.TestContextWithLogger(t)
	impl := newImpl(t)
	stile, ok := impl.Reconciler.(*turnstile)
	require.True(t, ok, "%T", impl.Reconciler)
	gate, ok := stile.generated.(*upToDate)
	require.True(t, ok, "%T", stile.generated)
	forgives, ok := gate.generated.(*forgiving)
	require.True(t, ok, "%T", gate.generated)
	_, ok = forgives.generated.(*announcing)
	require.True(t, ok, "%T", forgives.generated)

	stile.generated = reconciling{end: func(context.Context) error { passed++; return nil }}
	store := storeOf(t, entry(), named("checked", observed, resolved, describedSingle(digestA), checked(0)), named("odd", image("UPPER/case:1")))
	stile.entries, stile.untilAsked = store, (&Reconciler{now: nowIs(now), due: slotAfter, allowed: always, policies: fakePolicies{}, evidences: newEvidences()}).untilAsked
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
