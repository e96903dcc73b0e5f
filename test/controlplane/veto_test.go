//go:build controlplane

package controlplane

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/claim"
)

// veto is another product's webhook, which has a say in the entries of one namespace. The API server asks it at the same
// time as ours, which has taken the claim when the other one refuses.
type veto struct {
	namespace string
	refuses   atomic.Bool
}

func newVeto(t *testing.T) *veto {
	t.Helper()
	v := &veto{namespace: newNamespace(t)}
	v.refuses.Store(true)
	server := httptest.NewTLSServer(v)
	t.Cleanup(server.Close)
	v.register(t, server)
	return v
}

func (v *veto) register(t *testing.T, server *httptest.Server) {
	t.Helper()
	none, name := admissionregistrationv1.SideEffectClassNone, v.namespace+".veto.example.com"
	configurations := kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := configurations.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    name,
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             &none,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": v.namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"imagecatalog.dev"}, APIVersions: []string{"*"}, Resources: []string{"catalogimages"}},
			}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, configurations.Delete(context.Background(), name, metav1.DeleteOptions{}))
	})
	v.awaitRefusal(t)
}

// awaitRefusal waits until the API server knows of the webhook, by creates that take no claim.
func (v *veto) awaitRefusal(t *testing.T) {
	t.Helper()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(v.namespace)
	assert.Eventually(t, func() bool {
		_, err := entries.Create(t.Context(), newEntry("tried", "quay.io/acme/tried:1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil
	}, patience, pause)
}

// ServeHTTP answers an AdmissionReview.
func (v *veto) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: !v.refuses.Load(), Result: &metav1.Status{Message: "vetoed"}}
	_ = json.NewEncoder(w).Encode(review) // the API server takes a broken answer for a refusal
}

func TestACreateThatAnotherWebhookRefusedMayBeTriedAgain(t *testing.T) {
	v := newVeto(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(v.namespace)
	create := func(name string) error {
		_, err := entries.Create(t.Context(), newEntry(name, "quay.io/acme/autosd:1"), metav1.CreateOptions{})
		return err
	}
	require.ErrorContains(t, create("first"), "vetoed")
	require.Len(t, claimsIn(t, v.namespace), 1, "ours had taken the claim")

	v.refuses.Store(false)
	assert.ErrorContains(t, create("second"), `being published as "first"`)
	assert.NoError(t, create("first"))
	assert.ErrorContains(t, create("second"), `already, as "first"`)
}

// claimIsFreeAfterGrace has two creates refused, and takes the claim of one of them under another name.
func (v *veto) claimIsFreeAfterGrace(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(v.namespace)
	for _, image := range []string{"quay.io/acme/autosd:1", "quay.io/acme/autosd:2"} {
		_, err := entries.Create(t.Context(), newEntry("vetoed", image), metav1.CreateOptions{})
		require.ErrorContains(t, err, "vetoed")
	}
	v.refuses.Store(false)
	took := createPatiently(t, entries, newEntry("other", "quay.io/acme/autosd:1"), claim.Grace+patience)
	assert.Greater(t, took, claim.Grace/2, "the claim was not honoured")
	assert.Len(t, claimsIn(t, v.namespace), 2, "nobody deletes a claim while the controller is away")
}
