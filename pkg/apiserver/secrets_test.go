package apiserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"imagecatalog.dev/catalog/pkg/apiserver"
)

func TestSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/api/v1/namespaces/team/secrets/release" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
			return
		}
		_, _ = io.WriteString(w, `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"release"},"data":{"cosign.pub":"a2V5"}}`)
	}))
	t.Cleanup(server.Close)
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["here"] = &clientcmdapi.Cluster{Server: server.URL}
	kubeconfig.Contexts["here"] = &clientcmdapi.Context{Cluster: "here"}
	kubeconfig.CurrentContext = "here"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*kubeconfig, path))
	t.Setenv("KUBECONFIG", path)

	secrets, err := apiserver.ConnectSecrets()
	require.NoError(t, err)
	secret, err := secrets.Get(t.Context(), "team", "release")
	require.NoError(t, err)
	assert.Equal(t, "key", string(secret.Data["cosign.pub"]))
	_, err = secrets.Get(t.Context(), "other", "release")
	assert.True(t, apierrors.IsForbidden(err), err)
	_, err = secrets.Get(t.Context(), "team", "../../configmaps/x")
	assert.Error(t, err, "a name leads to nothing else")
}
