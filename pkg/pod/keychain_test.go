package pod_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/pod"
	"imagecatalog.dev/catalog/pkg/registry"
)

// withConfig has the pod's config.json in a workspace; it gives its folder.
func withConfig(t *testing.T, content string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(content), 0o600))
	return dir
}

// userFor is the user name with which a repository is asked for; empty for none.
func userFor(t *testing.T, repository string) string {
	t.Helper()
	target, err := name.NewRepository(repository)
	require.NoError(t, err)
	auth, err := pod.Keychain().Resolve(target)
	require.NoError(t, err)
	config, err := auth.Authorization()
	require.NoError(t, err)
	return config.Username
}

func TestKeychainFitsByHostAndPath(t *testing.T) {
	withConfig(t, `{"auths": {
		"quay.io/acme": {"username": "acme", "password": "1"},
		"https://registry.example.com": {"username": "example", "password": "2"},
		"https://index.docker.io/v1/": {"username": "hub", "password": "3"}
	}}`)
	for repository, user := range map[string]string{
		"quay.io/acme/autosd":                   "acme",
		"quay.io/acme-secret/autosd":            "",
		"quay.io/other/autosd":                  "",
		"registry.example.com/autosd":           "example",
		"registry.example.com:5000/autosd":      "",
		"registry.example.com.evil.test/autosd": "",
		"nginx":                                 "hub",
	} {
		assert.Equal(t, user, userFor(t, repository), repository)
	}
}

func TestKeychainReadsTheHomeOfTekton(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", "") // as a workspace that is not bound leaves it
	require.NoError(t, os.Mkdir(filepath.Join(home, ".docker"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".docker", "config.json"),
		[]byte(`{"auths": {"https://quay.io": {"auth": "dGVrdG9uOnNlY3JldA==", "email": "not@val.id"}}}`), 0o600))
	assert.Equal(t, "tekton", userFor(t, "quay.io/acme/autosd"))
}

func TestKeychainWithoutAConfig(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	assert.Empty(t, userFor(t, "quay.io/acme/autosd"))
	t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(withConfig(t, `{"auths": {"quay.io": {"username": "podman", "password": "1"}}}`), "config.json"))
	t.Setenv("DOCKER_CONFIG", "")
	assert.Equal(t, "podman", userFor(t, "quay.io/acme/autosd"))
}

func TestKeychainAsksHelpers(t *testing.T) {
	programs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(programs, "docker-credential-vault"),
		[]byte("#!/bin/sh\necho '{\"Username\": \"vault\", \"Secret\": \"1\"}'\n"), 0o700))
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))

	withConfig(t, `{"credHelpers": {"quay.io": "vault", "https://index.docker.io/v1/": "vault"}, "auths": {"ghcr.io/acme": {"username": "acme", "password": "1"}}}`)
	assert.Equal(t, "vault", userFor(t, "quay.io/acme/autosd"))
	assert.Equal(t, "vault", userFor(t, "nginx"))
	assert.Equal(t, "acme", userFor(t, "ghcr.io/acme/autosd"))
	assert.Empty(t, userFor(t, "ghcr.io/other/autosd"))

	withConfig(t, `{"credsStore": "vault", "auths": {"quay.io": {}}}`)
	assert.Equal(t, "vault", userFor(t, "quay.io/acme/autosd"))
}

func TestKeychainRefusesABrokenConfig(t *testing.T) {
	withConfig(t, `{"auths": {"quay.io": {"password": "secret`)
	_, err := pod.Keychain().Resolve(name.MustParseReference("quay.io/acme/autosd").Context())
	require.ErrorContains(t, err, "the config.json of this pod is no Docker config.json: the JSON is broken at byte ")
	assert.NotContains(t, err.Error(), "secret")

	dir := withConfig(t, `{"auths": {"quay.io": {"auth": "secret"}, "ghcr.io": {"username": "acme", "password": "1"}}}`)
	_, err = pod.Keychain().Resolve(name.MustParseReference("quay.io/acme/autosd").Context())
	require.EqualError(t, err, `the config.json of this pod, entry "quay.io": its auth is no base64`)
	assert.Equal(t, "acme", userFor(t, "ghcr.io/acme/autosd"), "the others are of use")

	require.NoError(t, os.Remove(filepath.Join(dir, "config.json")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "config.json"), 0o750))
	_, err = pod.Keychain().Resolve(name.MustParseReference("quay.io/acme/autosd").Context())
	assert.ErrorContains(t, err, "reading the config.json of this pod: ")
}

func TestMessagesNameTheConfig(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="a registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	withConfig(t, `{"auths": {"`+host+`": {"username": "wrong", "password": "secret"}}}`)
	client, err := pod.Client(mounted(t, map[string]string{"hosts": host + ": {plainHTTP: true, privateAddresses: true}"}))
	require.NoError(t, err)

	image, err := name.ParseReference(host + "/acme/autosd:1")
	require.NoError(t, err)
	_, err = client.Head(t.Context(), image, pod.Keychain())
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err))
	assert.ErrorContains(t, err, host+" does not accept the config.json of this pod for "+host+"/acme/autosd:1")
	assert.NotContains(t, err.Error(), "secret")
}
