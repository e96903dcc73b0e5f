package catalogimage

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"knative.dev/pkg/controller"
)

// Who comes through after failures begins anew, and waits no longer after the next one than after the first.
func TestFailuresAreForgotten(t *testing.T) {
	down := errors.New("connection refused")
	for title, test := range map[string]struct {
		end  error
		left int
	}{
		"due again":           {controller.NewRequeueAfter(interval), 0},
		"failed":              {down, 5},
		"failed for good":     {controller.NewPermanentError(down), 5}, // knative forgets it
		"nothing left to see": {nil, 5},                                // likewise
	} {
		impl := newImpl(t)
		gate := impl.Reconciler.(*turnstile).generated.(*upToDate)
		forgives, ok := gate.generated.(*forgiving)
		require.True(t, ok, "%T", gate.generated)
		forgives.generated = reconciling{end: func(context.Context) error { return test.end }}
		for range 5 {
			impl.WorkQueue().AddRateLimited(it)
		}
		assert.ErrorIs(t, impl.Reconciler.Reconcile(t.Context(), key), test.end, title)
		assert.Equal(t, test.left, impl.WorkQueue().NumRequeues(it), title)
	}
}
