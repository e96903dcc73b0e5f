//go:build controlplane

package controlplane

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/plane"
)

// foreign is an image that no test allows.
const foreign = "evil.example/quay.io/acme/os:1"

// allow has only images of matching repositories be allowed until the test ends. It returns when all replicas know.
func allow(t *testing.T, patterns string) {
	t.Helper()
	t.Cleanup(func() { setAllowed(context.Background(), t, nil) })
	setAllowed(t.Context(), t, patterns)
}

// setAllowed writes the setting, or takes it away with nil, and waits for it to be in force.
func setAllowed(ctx context.Context, t *testing.T, patterns any) {
	t.Helper()
	patch := mustJSON(t, map[string]any{"data": map[string]any{"allowed": patterns}})
	require.NoError(t, kubectl(ctx, "", "patch", "configmap", registry.ConfigMapName, "--namespace", systemNamespace, "--type", "merge", "--patch", patch))
	awaitForeign(ctx, t, patterns == nil)
}

// awaitForeign waits until every replica admits the foreign image, or refuses it.
func awaitForeign(ctx context.Context, t *testing.T, admitted bool) {
	t.Helper()
	agreed := 0
	err := wait.PollUntilContextTimeout(ctx, pause, patience, true, func(ctx context.Context) (bool, error) {
		agreed++
		if slices.Contains(tryForeign(ctx), !admitted) {
			agreed = 0
		}
		return agreed == 3, nil
	})
	require.NoError(t, err, "the settings are not followed: the foreign image should be admitted: %t", admitted)
}

// tryForeign says for each of several attempts whether the foreign image is admitted. They are at the same time, because
// requests that follow each other share a connection, and with it a replica.
func tryForeign(ctx context.Context) []bool {
	admitted := make([]bool, 8)
	var attempts sync.WaitGroup
	for n := range admitted {
		attempts.Go(func() {
			_, err := catalog.ImagecatalogV1alpha1().CatalogImages("default").
				Create(ctx, newEntry("foreign", foreign), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			admitted[n] = err == nil
		})
	}
	attempts.Wait()
	return admitted
}

func TestOnlyAllowedImagesBecomeEntries(t *testing.T) {
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	create := func(name, image string) error {
		_, err := entries.Create(t.Context(), newEntry(name, image), metav1.CreateOptions{})
		return err
	}
	require.NoError(t, create("before", foreign))

	allow(t, "quay.io/acme/*")
	assert.NoError(t, create("ours", "quay.io/acme/autosd:1"))
	assert.ErrorContains(t, create("theirs", "quay.io.evil.example/acme/autosd:1"), "no images of quay.io.evil.example/acme/autosd are allowed")
	assert.Len(t, claimsIn(t, namespace), 2, "a refused entry has no claim")

	_, err := change(t, entries, "before", func(entry *v1alpha1.CatalogImage) { entry.Spec.Channel = "prod" })
	assert.NoError(t, err, "what is stored is not judged again")
	_, err = change(t, entries, "before", func(entry *v1alpha1.CatalogImage) { entry.Spec.Image = "evil.example/quay.io/acme/os:2" })
	assert.ErrorContains(t, err, "no images of evil.example/quay.io/acme/os are allowed")
	_, err = change(t, entries, "before", func(entry *v1alpha1.CatalogImage) { entry.Spec.Image = "quay.io/acme/autosd:2" })
	assert.NoError(t, err)

	setAllowed(t.Context(), t, nil)
	assert.NoError(t, create("theirs", "quay.io.evil.example/acme/autosd:1"))
}

// What is allowed no more is blocked at once, and asked about at once when it is allowed again. Nobody asks about the others.
func TestStoredEntriesFollowWhatIsAllowed(t *testing.T) {
	const count = 20
	theirs, ours := newTroubled(t), newTroubled(t)
	taken, _ := theirs.publish(t, count, v1alpha1.DefaultCheckInterval)
	kept, _ := ours.publish(t, count, v1alpha1.DefaultCheckInterval)
	kept.forbid(func(*v1alpha1.CatalogImage) string { return "touched" })
	theirs.Forget()
	ours.Forget()

	allow(t, ours.Host+"/**")
	taken.await(t, count, isNotFresh("Blocked"))
	assert.Equal(t, count, taken.count(isAvailable), "what was found before stands for a while")
	assert.Empty(t, theirs.Log())

	setAllowed(t.Context(), t, nil)
	taken.await(t, count, isFresh)
	assert.NotEmpty(t, theirs.Log())
	assert.Empty(t, ours.Log())
	_, touched := kept.end()
	assert.Empty(t, touched)
}

// Without the ConfigMap everything is allowed, and one that is made anew is held to the same rules, whatever its labels.
func TestTheSettingsForRegistriesCanBeMadeAnew(t *testing.T) {
	configs := kube.CoreV1().ConfigMaps(systemNamespace)
	before, err := configs.Get(t.Context(), registry.ConfigMapName, metav1.GetOptions{})
	require.NoError(t, err)
	setAllowed(t.Context(), t, "quay.io/**")
	t.Cleanup(func() {
		again := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: before.Name, Labels: before.Labels, Annotations: before.Annotations},
			Data:       before.Data,
		}
		require.NoError(t, kubectl(context.Background(), "", "delete", "configmap", registry.ConfigMapName, "--namespace", systemNamespace, "--ignore-not-found"))
		_, err := configs.Create(context.Background(), again, metav1.CreateOptions{})
		require.NoError(t, err)
		awaitForeign(context.Background(), t, true)
	})

	require.NoError(t, kubectl(t.Context(), "", "delete", "configmap", registry.ConfigMapName, "--namespace", systemNamespace))
	awaitForeign(t.Context(), t, true)
	restart(t, installed.Webhooks[0])

	create := func(patterns string) error {
		return kubectl(t.Context(), "", "create", "configmap", registry.ConfigMapName, "--namespace", systemNamespace, "--from-literal=allowed="+patterns)
	}
	assert.ErrorContains(t, create("quay.io"), `denied the request: validation failed: allowed: "quay.io" names no repository`)
	require.NoError(t, create("quay.io/**"))
	awaitForeign(t.Context(), t, false)
	restart(t, installed.Webhooks[0])
	assert.NotContains(t, tryForeign(t.Context()), true, "a replica knows the settings before it answers")
}

func restart(t *testing.T, webhook *plane.Process) {
	t.Helper()
	require.NoError(t, webhook.Stop())
	require.NoError(t, webhook.Start(t.Context()))
	require.NoError(t, webhook.AwaitReady(t.Context()))
}

// A configuration that is in order is admitted, which the examples of refusals do not show.
func TestSettingsForRegistriesThatAreInOrder(t *testing.T) {
	for title, data := range map[string]map[string]any{
		"nothing":  {"hosts": nil},
		"comments": {"allowed": "# quay.io/**\n", "hosts": "# quay.io: {}\n"},
		"much": {"allowed": "quay.io/acme/**\nregistry.example.com:5000/*/autosd\ndocker.io/nginx", "hosts": `
registry.example.com:5000: {privateAddresses: true, tokenServers: [sso.example.net], maxConcurrent: 4, requestsPerSecond: 0.5, pullSecret: catalog-pull}
"[2001:db8::1]:5000": {plainHTTP: true, privateAddresses: true}
"*": {privateAddresses: true, requestsPerSecond: 20}
`},
	} {
		assert.NoError(t, kubectl(t.Context(), "", "patch", "configmap", registry.ConfigMapName, "--namespace", systemNamespace, "--type", "merge",
			"--dry-run=server", "--patch", mustJSON(t, map[string]any{"data": data})), title)
	}
}
