package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// reviewer asks as the API server does: the certificate must be good for the Service's name.
func reviewer(t *testing.T) (client *http.Client, base string) {
	t.Helper()
	key, certificate, ca, err := certresources.CreateCerts(t.Context(), "webhook", "image-catalog", time.Now().Add(time.Hour))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), certificate, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600))
	base, _ = serving(t, "-admit", dir)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "webhook.image-catalog.svc"}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, strings.Replace(base, "http:", "https:", 1)
}

func TestWebhooksThatDoNothingAdmitAllButTheirOwnName(t *testing.T) {
	client, base := reviewer(t)
	for _, c := range []struct {
		path, name string
		allowed    bool
	}{
		{mutatingPath, "some-entry", true}, {mutatingPath, "mutating", false}, {mutatingPath, "validating", true},
		{validatingPath, "some-entry", true}, {validatingPath, "mutating", true}, {validatingPath, "validating", false},
	} {
		response, err := client.Post(base+c.path, "application/json", strings.NewReader(
			`{"kind":"AdmissionReview","request":{"uid":"17","name":"`+c.name+`","object":{"spec":{}}}}`))
		require.NoError(t, err)
		var answer admissionv1.AdmissionReview
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		require.NoError(t, response.Body.Close())
		assert.Equal(t, "admission.k8s.io/v1, Kind=AdmissionReview", answer.GroupVersionKind().String())
		assert.Equal(t, admissionv1.AdmissionResponse{UID: "17", Allowed: c.allowed}, *answer.Response, "%s of %s", c.name, c.path)
	}
}

func TestAReviewThatCannotBeReadIsRefused(t *testing.T) {
	client, base := reviewer(t)
	response, err := client.Post(base+mutatingPath, "application/json", strings.NewReader("{"))
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusBadRequest, response.StatusCode)
}
