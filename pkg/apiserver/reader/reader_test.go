package reader_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"imagecatalog.dev/catalog/pkg/apiserver/reader"
)

// serve has KUBECONFIG lead to a server that has the objects, by their paths, and forbids all else.
func serve(t *testing.T, objects map[string]string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		object, ok := objects[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			object = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
		}
		_, _ = io.WriteString(w, object)
	}))
	t.Cleanup(server.Close)
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["here"] = &clientcmdapi.Cluster{Server: server.URL}
	kubeconfig.Contexts["here"] = &clientcmdapi.Context{Cluster: "here"}
	kubeconfig.CurrentContext = "here"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*kubeconfig, path))
	t.Setenv("KUBECONFIG", path)
}

func TestSecrets(t *testing.T) {
	serve(t, map[string]string{
		"/api/v1/namespaces/team/secrets/release": `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"release"},"data":{"cosign.pub":"a2V5"}}`,
	})
	secrets, err := reader.Secrets()
	require.NoError(t, err)
	secret, err := secrets.Get(t.Context(), "team", "release")
	require.NoError(t, err)
	assert.Equal(t, "key", string(secret.Data["cosign.pub"]))
	_, err = secrets.Get(t.Context(), "other", "release")
	assert.True(t, apierrors.IsForbidden(err), err)
	_, err = secrets.Get(t.Context(), "team", "../../configmaps/x")
	assert.Error(t, err, "a name leads to nothing else")
}

func TestEntries(t *testing.T) {
	serve(t, map[string]string{
		"/apis/imagecatalog.dev/v1alpha1/namespaces/team/catalogimages/os": `{"kind":"CatalogImage","apiVersion":"imagecatalog.dev/v1alpha1","metadata":{"name":"os"},"spec":{"image":"a.io/b:1"}}`,
	})
	entries, err := reader.Entries()
	require.NoError(t, err)
	entry, err := entries.Get(t.Context(), "team", "os")
	require.NoError(t, err)
	assert.Equal(t, "a.io/b:1", entry.Spec.Image)
	_, err = entries.Get(t.Context(), "other", "os")
	assert.True(t, apierrors.IsForbidden(err), err)
}

func TestPolicies(t *testing.T) {
	serve(t, map[string]string{
		"/apis/imagecatalog.dev/v1alpha1/catalogpolicies/release": `{"kind":"CatalogPolicy","apiVersion":"imagecatalog.dev/v1alpha1","metadata":{"name":"release"},"spec":{"images":[{"glob":"a.io/*"}]}}`,
	})
	policies, err := reader.Policies()
	require.NoError(t, err)
	policy, err := policies.Get(t.Context(), "", "release")
	require.NoError(t, err)
	assert.Equal(t, "a.io/*", policy.Spec.Images[0].Glob)
	_, err = policies.Get(t.Context(), "", "other")
	assert.True(t, apierrors.IsForbidden(err), err)
}

func TestThereIsNoCluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	t.Setenv("KUBECONFIG", path)
	_, err := reader.Entries()
	assert.ErrorContains(t, err, "finding the API server: ")
}
