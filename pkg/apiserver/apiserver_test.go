package apiserver_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"imagecatalog.dev/catalog/pkg/apiserver"
)

func TestConnectFollowsKubeconfig(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Path }))
	t.Cleanup(server.Close)
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["here"] = &clientcmdapi.Cluster{Server: server.URL}
	kubeconfig.Contexts["here"] = &clientcmdapi.Context{Cluster: "here"}
	kubeconfig.CurrentContext = "here"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*kubeconfig, path))
	t.Setenv("KUBECONFIG", path)

	clients, err := apiserver.Connect()
	require.NoError(t, err)
	_, _ = clients.ImagecatalogV1alpha1().CatalogImages("radar").Get(t.Context(), "autosd", metav1.GetOptions{})
	assert.Equal(t, "/apis/imagecatalog.dev/v1alpha1/namespaces/radar/catalogimages/autosd", asked)
}

func TestConnectSaysThatThereIsNoCluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	t.Setenv("KUBECONFIG", path)
	_, err := apiserver.Connect()
	assert.ErrorContains(t, err, "finding the API server: ")
}
