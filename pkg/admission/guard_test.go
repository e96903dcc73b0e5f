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
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	admissionv1 "k8s.io/api/admission/v1"
	"knative.dev/pkg/logging"
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

// Who was refused what, and why, is told once; what is admitted the API server's own audit tells.
func TestARefusalIsAnAuditLine(t *testing.T) {
	ctx, validation := newController(t, NewValidation)
	core, lines := observer.New(zap.WarnLevel)
	ctx = logging.WithLogger(ctx, zap.New(core).Sugar())

	require.True(t, validation.Admit(ctx, request(admissionv1.Create, "", stampedDocument("autosd", `"image": "quay.io/acme/autosd:1"`))).Allowed)
	assert.Empty(t, lines.All())

	refused := request(admissionv1.Create, "", stampedDocument("autosd", `"image": "UPPER/`+strings.Repeat("x", 10*mostWords)+`:1"`))
	refused.Namespace, refused.Name = "radar", "autosd"
	require.False(t, validation.Admit(ctx, refused).Allowed)
	require.Equal(t, 1, lines.FilterMessage("audit").Len())
	line := lines.FilterMessage("audit").All()[0].ContextMap()
	assert.Contains(t, line["outcome"], "validation failed: invalid value")
	assert.LessOrEqual(t, len(line["outcome"].(string)), mostWords)
	delete(line, "outcome")
	assert.Equal(t, map[string]any{
		"action": "Refused", "user": "alice", "operation": admissionv1.Create, "kind": "CatalogImage", "entry": "radar/autosd", "dryRun": false,
	}, line)
}
