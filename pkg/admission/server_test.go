package admission

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"knative.dev/pkg/injection"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/pkg/webhook"
)

func TestAReplicaThatEndsClosesItsConnections(t *testing.T) {
	stopping := make(chan struct{})
	server := httptest.NewServer(leaving(stopping, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })))
	t.Cleanup(server.Close)
	closes := func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
		require.NoError(t, err)
		response, err := server.Client().Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		assert.Equal(t, http.StatusTeapot, response.StatusCode, "it is answered")
		return response.Close
	}
	assert.False(t, closes())
	close(stopping)
	assert.True(t, closes(), "and the next goes elsewhere")
}

// knative's main starts a server of its own for each controller that admits.
func TestTheServerAnswersForTheControllersAlone(t *testing.T) {
	server := NewServer(nil)
	ctx := webhook.WithOptions(fakeContext(t), webhook.Options{})
	for _, construct := range []constructor{NewDefaulting, NewValidation, NewConfigValidation} {
		impl := server.Answering(injection.ControllerConstructor(construct))(ctx, newWatcher(ctx))
		assert.Implements(t, (*pkgreconciler.LeaderAware)(nil), impl.Reconciler)
		_, admits := impl.Reconciler.(webhook.AdmissionController)
		assert.False(t, admits)
	}
	require.Len(t, server.reviewers, 3)
	for _, reviewer := range server.reviewers {
		assert.IsType(t, guarded{}, reviewer)
	}
}
