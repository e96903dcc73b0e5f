//go:build controlplane

package controlplane

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// manifest is an entry as somebody keeps it in a repository, with what admission might be tempted to rewrite.
func manifest(namespace string) string {
	return fmt.Sprintf(`
apiVersion: imagecatalog.dev/v1alpha1
kind: CatalogImage
metadata: {namespace: %s, name: autosd}
spec:
  image: QUAY.io:443/acme/autosd:1
  checkInterval: 60m
  channel: dev
  metadata: {architecture: aarch64, targets: [{name: qemu}]}
`, namespace)
}

func versionOf(t *testing.T, namespace string) string {
	t.Helper()
	entry, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Get(t.Context(), "autosd", metav1.GetOptions{})
	require.NoError(t, err)
	return entry.ResourceVersion
}

// settled waits until the controller has nothing more to write, so that what changes afterwards is the apply's doing.
func settled(t *testing.T, namespace string) string {
	t.Helper()
	waitForCondition(t, catalog.ImagecatalogV1alpha1().CatalogImages(namespace), "autosd", v1alpha1.ConditionUnique, "True")
	version := ""
	require.Eventually(t, func() bool {
		last := version
		version = versionOf(t, namespace)
		return version == last
	}, patience, 10*pause)
	return version
}

func TestWhatWasAppliedShowsNoDifference(t *testing.T) {
	namespace := newNamespace(t)
	diff := func() error { return kubectl(t.Context(), manifest(namespace), "diff", "--filename", "-") }
	require.ErrorContains(t, diff(), "exit status 1", "kubectl diff shows what apply would do")
	require.Empty(t, claimsIn(t, namespace), "and does not do it")
	require.NoError(t, kubectl(t.Context(), manifest(namespace), "apply", "--filename", "-"))
	assert.NoError(t, diff())

	version := settled(t, namespace)
	assert.NoError(t, diff())
	require.NoError(t, kubectl(t.Context(), manifest(namespace), "apply", "--filename", "-"))
	assert.Equal(t, version, versionOf(t, namespace))
}

// One team says what the image is, another how it is promoted; each applies its part twice.
func TestTwoManagersApplyTheirParts(t *testing.T) {
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	apply := func(manager, spec string) *v1alpha1.CatalogImage {
		patch := fmt.Appendf(nil, `{"apiVersion": "imagecatalog.dev/v1alpha1", "kind": "CatalogImage", "metadata": {"name": "autosd"}, "spec": %s}`, spec)
		entry, err := entries.Patch(t.Context(), "autosd", types.ApplyPatchType, patch, metav1.PatchOptions{FieldManager: manager})
		require.NoError(t, err, manager)
		return entry
	}
	const (
		build   = `{"image": "quay.io/acme/autosd:1", "metadata": {"architecture": "x86_64", "targets": [{"name": "qemu"}]}}`
		promote = `{"image": "quay.io/acme/autosd:1", "channel": "prod", "tags": ["nightly"]}`
	)
	apply("build", build)
	apply("promote", promote)
	version := settled(t, namespace)
	for range 2 {
		assert.Equal(t, version, apply("build", build).ResourceVersion)
		assert.Equal(t, version, apply("promote", promote).ResourceVersion)
	}
	entry := apply("build", build)
	assert.Contains(t, entry.Labels, "target.imagecatalog.dev/qemu")
	assert.Equal(t, "prod", entry.Labels["imagecatalog.dev/channel"])
}

func TestDryRunsTakeNoClaim(t *testing.T) {
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	dryRun := []string{metav1.DryRunAll}
	_, err := entries.Create(t.Context(), newEntry("tried", "quay.io/acme/autosd:1"), metav1.CreateOptions{DryRun: dryRun})
	require.NoError(t, err)
	require.NoError(t, kubectl(t.Context(), manifest(namespace), "apply", "--dry-run=server", "--filename", "-"))
	require.Empty(t, claimsIn(t, namespace))

	_, err = entries.Create(t.Context(), newEntry("stored", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	patch := []byte(`{"spec": {"image": "quay.io/acme/autosd:2"}}`)
	_, err = entries.Patch(t.Context(), "stored", types.MergePatchType, patch, metav1.PatchOptions{DryRun: dryRun})
	require.NoError(t, err)
	assert.Len(t, claimsIn(t, namespace), 1, "that of the stored entry")
	_, err = entries.Create(t.Context(), newEntry("tried", "quay.io/acme/autosd:1"), metav1.CreateOptions{DryRun: dryRun})
	assert.ErrorContains(t, err, `already, as "stored"`)
}
