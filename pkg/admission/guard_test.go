package admission

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/webhook"
)

// serve starts the webhook's HTTP server with all its controllers, without TLS.
func serve(ctx context.Context, t *testing.T) *httptest.Server {
	t.Helper()
	var controllers []any
	for _, construct := range []constructor{NewDefaulting, NewValidation, NewConfigValidation} {
		controllers = append(controllers, construct(ctx, newWatcher(ctx)).Reconciler)
	}
	handler, err := webhook.New(ctx, controllers)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// reply is what the webhook answers.
type reply struct {
	status int
	body   string
}

// review sends an AdmissionReview.
func review(t *testing.T, server *httptest.Server, path, body string) (reply, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := server.Client().Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, string(answer)}, err
}

// reviewGood sends one that is in order.
func reviewGood(t *testing.T, server *httptest.Server) reply {
	t.Helper()
	answer, err := review(t, server, "/defaulting", fmt.Sprintf(wellFormed, `{"spec": {"image": "a/b:1", "channel": "dev"}}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.status)
	require.Contains(t, answer.body, `"allowed":true`)
	return answer
}

const wellFormed = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1", "operation": "CREATE",
	"kind": {"group": "imagecatalog.dev", "version": "v1alpha1", "kind": "CatalogImage"}, "object": %s}}`

// Anybody in the cluster can reach the webhook's port. Whatever they send, the next request is answered.
func TestHostileReviewsEndNoProcess(t *testing.T) {
	server := serve(webhook.WithOptions(fakeContext(t), webhook.Options{}), t)
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"request": null}`, `{"request": {}}`, `{"request": {"operation": "CREATE"}}`,
		`{"request": {"operation": "CREATE", "kind": {"version": "v1", "kind": "Pod"}, "object": {}}}`,
		`{"request": {"operation": "UPDATE", "kind": {"group": "imagecatalog.dev", "version": "v1alpha1", "kind": "CatalogImage"}}}`,
		fmt.Sprintf(wellFormed, `null`), fmt.Sprintf(wellFormed, `[]`), fmt.Sprintf(wellFormed, `"x"`), fmt.Sprintf(wellFormed, `{"spec": []}`),
		fmt.Sprintf(wellFormed, `{"metadata": null, "spec": null}`), fmt.Sprintf(wellFormed, `{"metadata": {"annotations": 1}}`),
		strings.Replace(fmt.Sprintf(wellFormed, `{}`), `"object"`, `"oldObject"`, 1), strings.Repeat("[", 100_000),
	} {
		for _, path := range []string{"/defaulting", "/validation", "/config-validation", "/nowhere"} {
			answer, err := review(t, server, path, body)
			if err == nil && path == "/validation" {
				assert.NotContains(t, answer.body, `"allowed":true`, "%s", body)
			}
			reviewGood(t, server)
		}
	}
}

func TestAllControllersAreGuarded(t *testing.T) {
	for _, construct := range []constructor{NewDefaulting, NewValidation, NewConfigValidation} {
		_, admitting := newController(t, construct)
		assert.IsType(t, guarded{}, admitting)
	}
}

func fakeContext(t *testing.T) context.Context {
	t.Helper()
	ctx, _ := rtesting.SetupFakeContext(t)
	return ctx
}
