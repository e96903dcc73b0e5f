//go:build controlplane

package controlplane

import (
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// createOfTwoPlatforms makes an entry "autosd" of an index for two architectures, which nothing but the registry tells.
func createOfTwoPlatforms(t *testing.T) catalogclient.CatalogImageInterface {
	t.Helper()
	ref, _ := pushed(t)
	index := v1.ImageIndex(empty.Index)
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := random.Image(512, 1)
		require.NoError(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	require.NoError(t, remote.WriteIndex(ref, index))
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("autosd", ref.Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	return entries
}

func assertFoundByArchitecture(t *testing.T, entries catalogclient.CatalogImageInterface) {
	t.Helper()
	for _, architecture := range []string{"amd64", "arm64"} {
		assert.Eventually(t, func() bool {
			found, err := entries.List(t.Context(), metav1.ListOptions{LabelSelector: "arch.imagecatalog.dev/" + architecture})
			return err == nil && len(found.Items) == 1
		}, patience, pause, "kubectl get -l finds it")
	}
}

func TestTheRegistryTellsTheArchitectures(t *testing.T) {
	entries := createOfTwoPlatforms(t)
	waitForCondition(t, entries, "autosd", apis.ConditionReady, "True")
	assertFoundByArchitecture(t, entries)
}

// labelsComeWithTheWebhook starts the controller with the webhook away, which lets nobody write a label: the entry is
// checked all the same, an Event that is counted up says what is missing, and the labels come when they can.
func labelsComeWithTheWebhook(t *testing.T, startController func()) {
	t.Helper()
	entries := createOfTwoPlatforms(t)
	for _, replica := range installed.Webhooks {
		require.NoError(t, replica.Stop())
	}
	startController()
	entry := waitForCondition(t, entries, "autosd", apis.ConditionReady, "True")
	assert.Eventually(t, func() bool {
		events, err := kube.CoreV1().Events(entry.Namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=InternalError"})
		return err == nil && slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return e.Count > 1 })
	}, patience, pause)
	for _, replica := range installed.Webhooks {
		require.NoError(t, replica.Start(t.Context()))
	}
	require.NoError(t, installed.AwaitWebhook(t.Context()))
	assertFoundByArchitecture(t, entries)
}

func TestFacetLabelsSetByHandAreRemoved(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	entry := newEntry("autosd", "quay.io/acme/autosd:1")
	entry.Labels = map[string]string{"arch.imagecatalog.dev/riscv64": "", "target.imagecatalog.dev/toaster": "", "imagecatalog.dev/channel": "prod", "mine": "stays"}
	entry, err := entries.Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"mine": "stays"}, entry.Labels)
}
