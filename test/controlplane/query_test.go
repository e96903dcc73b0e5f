//go:build controlplane

package controlplane

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The query server of an API server that does not stream lists.
func TestTheQueryServerReadsAListFirst(t *testing.T) {
	namespace := newNamespace(t)
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).
		Create(t.Context(), newEntry("autosd", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, installed.Query.Start(t.Context()))
	require.NoError(t, installed.Query.AwaitReady(t.Context()))
	response, err := http.Get("http://" + installed.QueryAddress + "/v1/namespaces/" + namespace + "/images/autosd")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, installed.Query.Stop())
}
