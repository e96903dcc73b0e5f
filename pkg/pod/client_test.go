package pod_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fakeregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/pod"
	"imagecatalog.dev/catalog/pkg/registry"
)

// mounted makes a folder as the kubelet mounts a ConfigMap: the files are links, beside folders of its own.
func mounted(t *testing.T, data map[string]string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), registry.ConfigMapName)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "..1"), 0o750))
	require.NoError(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	for key, value := range data {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "..1", key), []byte(value), 0o600))
		require.NoError(t, os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)))
	}
	return dir
}

// pushed is an image in a registry that speaks plain HTTP.
func pushed(t *testing.T) name.Reference {
	t.Helper()
	server := httptest.NewServer(fakeregistry.New(fakeregistry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/acme/autosd:1")
	require.NoError(t, err)
	image, err := random.Image(64, 1)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	return ref
}

func TestClientAsksByTheSettings(t *testing.T) {
	image := pushed(t)
	client, err := pod.Client(mounted(t, map[string]string{"hosts": image.Context().RegistryStr() + ": {plainHTTP: true, privateAddresses: true}"}))
	require.NoError(t, err)
	_, err = client.Head(t.Context(), image, nil)
	require.NoError(t, err)
}

func TestClientWithoutSettings(t *testing.T) {
	private, err := name.ParseReference("10.0.0.7:5000/acme/autosd:1")
	require.NoError(t, err)
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "absent"), mounted(t, nil)} {
		client, err := pod.Client(dir)
		require.NoError(t, err)
		host := client.Settings().Host(private.Context().RegistryStr())
		assert.True(t, host.PrivateAddresses, "the network is that of the pod's namespace")
		assert.False(t, host.PlainHTTP)
	}
}

func TestClientRefusesWhatItCannotRead(t *testing.T) {
	dir := mounted(t, map[string]string{"hosts": "10.0.0.7:5000: {plainHttp: true}"})
	_, err := pod.Client(dir)
	var wrong *param.Error
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "REGISTRIES", wrong.Param)
	assert.ErrorContains(t, err, "param REGISTRIES: reading the settings for registries in "+dir+": hosts: ")
	assert.ErrorContains(t, err, "; mend the ConfigMap of that name in the namespace of the run")

	file := filepath.Join(dir, "hosts")
	_, err = pod.Client(file)
	assert.ErrorContains(t, err, "param REGISTRIES: reading the settings for registries: ", "a file is no folder")
}
