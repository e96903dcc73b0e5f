//go:build e2e

package e2e

import (
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// startRegistry starts a registry that speaks plain HTTP, of which no settings speak. It stops when the test ends, if not
// before.
func startRegistry(t *testing.T) (host string, server *http.Server) {
	t.Helper()
	address, _, err := net.SplitHostPort(os.Getenv("REGISTRY"))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	require.NoError(t, err)
	server = &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String(), server
}

// settingsForTasks makes a ConfigMap that Tasks of the demonstration can be given.
func settingsForTasks(t *testing.T, hosts string) (name string) {
	t.Helper()
	configs := kube.CoreV1().ConfigMaps(demoNamespace)
	made, err := configs.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "registries-"},
		Data:       map[string]string{"hosts": hosts},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { assert.NoError(t, configs.Delete(ctx, made.Name, metav1.DeleteOptions{})) })
	return made.Name
}

// assertBlocked asserts that a message says which host is refused, why, and what to do.
func assertBlocked(t assert.TestingT, message, host string) {
	assert.Contains(t, message, host+" may not be asked about "+host+"/e2e/")
	assert.Contains(t, message, " set for "+host+" in config-registries")
}

func publishAsksByTheSettings(t *testing.T) {
	asksByTheSettings(t, "catalog-publish", map[string]string{"DRY_RUN": "true"})
}

func verifyAsksByTheSettings(t *testing.T) {
	refused := asksByTheSettings(t, "catalog-verify", nil)
	assert.Equal(t, "Blocked", refused.results["REASON"])
}

// asksByTheSettings runs a Task without settings for a registry, with some that allow it, and with broken ones. It gives what
// became of the first.
func asksByTheSettings(t *testing.T, task string, further map[string]string) (refused outcome) {
	t.Helper()
	host, _ := startRegistry(t)
	image := host + "/e2e/settings:1"
	push(t, image)
	configured := settingsForTasks(t, host+": {plainHTTP: true, privateAddresses: true}")
	broken := settingsForTasks(t, host+": {plainHttp: true}")
	run := func(settings string) outcome {
		params := map[string]string{"IMAGE_URL": image, "REGISTRIES": settings}
		maps.Copy(params, further)
		return runTask(t, task, params)
	}

	refused = run("absent")
	assert.EqualValues(t, 2, refused.exitCode, "nobody was asked, so nothing is decided")
	assertBlocked(t, refused.log, host)
	assert.Contains(t, refused.log, "plain HTTP, which is not configured")

	allowed := run(configured)
	assert.Zero(t, allowed.exitCode, allowed.log)

	wrong := run(broken)
	assert.EqualValues(t, 64, wrong.exitCode)
	assert.Contains(t, wrong.log, "param REGISTRIES: reading the settings for registries in /etc/registries/"+broken+": hosts: ")
	return refused
}

// allowRegistry lets the catalog ask a host, as the README says.
func allowRegistry(t *testing.T, host string) {
	t.Helper()
	commands := documented(t, "### Private registries")
	require.Contains(t, commands, "registry.example.com:5000:")
	mustCommand(t, "bash", "-ec", strings.ReplaceAll(commands, "registry.example.com:5000", host))
}

// restoreSettings has the catalog's settings as they are now again when the test ends.
func restoreSettings(t *testing.T) {
	t.Helper()
	out := mustCommand(t, "kubectl", "get", "configmap", "config-registries", "--namespace", "image-catalog", "--output", `jsonpath={"{\"data\":"}{.data}{"}"}`)
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		_, err := kube.CoreV1().ConfigMaps("image-catalog").Patch(ctx, "config-registries", types.MergePatchType, []byte(out), metav1.PatchOptions{})
		assert.NoError(t, err)
	})
}

// createBlocked makes an entry of an image that the controller may not ask about, and waits for it to say so.
func createBlocked(t *testing.T, namespace, host string) *v1alpha1.CatalogImage {
	t.Helper()
	made := entry(namespace, 1)
	made.Spec.Image = push(t, host+"/e2e/settings:1").String()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	made, err := entries.Create(t.Context(), made, metav1.CreateOptions{})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		latest, err := entries.Get(t.Context(), made.Name, metav1.GetOptions{})
		require.NoError(c, err)
		resolved := latest.Status.GetCondition(v1alpha1.ConditionResolved)
		require.NotNil(c, resolved)
		assert.Equal(c, "Blocked", resolved.Reason)
		assertBlocked(c, resolved.Message, host)
	}, waitTimeout, pollInterval)
	return made
}

func TestTheControllerFollowsTheSettings(t *testing.T) {
	restoreSettings(t)
	namespace := newNamespace(t, "e2e-settings")
	host, _ := startRegistry(t)
	blocked := createBlocked(t, namespace, host)

	allowRegistry(t, host)
	awaitReady(t, namespace, blocked.Name)
	found, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Get(t.Context(), blocked.Name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, v1alpha1.PhaseAvailable, found.Status.Phase)
	assert.Equal(t, blocked.Generation, found.Generation, "nobody touched it")
}
