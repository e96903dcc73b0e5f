//go:build controlplane

package controlplane

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestAdmissionLeavesTheSpecAsItIs(t *testing.T) {
	namespace := newNamespace(t)
	spec := map[string]any{
		"image":         "quay.io/acme/autosd:1",
		"checkInterval": "60m",
		"source":        map[string]any{"kind": "External"},
		"metadata":      map[string]any{"architecture": "aarch64", "targets": []any{map[string]any{"name": "qemu"}}},
	}
	entries, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	stored, err := entries.Resource(v1alpha1.SchemeGroupVersion.WithResource("catalogimages")).Namespace(namespace).Create(t.Context(),
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.SchemeGroupVersion.String(),
			"kind":       "CatalogImage",
			"metadata":   map[string]any{"name": "as-it-is"},
			"spec":       spec,
		}}, metav1.CreateOptions{})
	require.NoError(t, err)

	assert.Equal(t, spec, stored.Object["spec"])
	assert.Equal(t, map[string]string{"arch.imagecatalog.dev/arm64": "", "target.imagecatalog.dev/qemu": ""}, stored.GetLabels())
	assert.NotEmpty(t, stored.GetAnnotations()["imagecatalog.dev/creator"])
}

func TestFacetLabelsFollowTheSpec(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	entry := newEntry("facets", "quay.io/acme/autosd:1")
	entry.Labels = map[string]string{"mine": "stays"}
	entry.Spec.Metadata.Targets = []v1alpha1.Target{{Name: "qemu"}, {Name: "raspberry-pi"}}
	_, err := entries.Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)

	entry, err = change(t, entries, "facets", func(entry *v1alpha1.CatalogImage) {
		entry.Spec.Metadata.Targets = entry.Spec.Metadata.Targets[1:]
		entry.Spec.Channel = "prod"
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"mine":                                 "stays",
		"imagecatalog.dev/channel":             "prod",
		"target.imagecatalog.dev/raspberry-pi": "",
	}, entry.Labels)
}

func TestASettingThatCannotBeReadIsRefused(t *testing.T) {
	for name, data := range map[string]string{
		"config-leader-election": `{"lease-duration": "soon"}`,
		"config-logging":         `{"loglevel.controller": "loud"}`,
		"config-observability":   `{"metrics-protocol": "smoke"}`,
	} {
		err := kubectl(t.Context(), "", "patch", "configmap", name, "--namespace", systemNamespace,
			"--type", "merge", "--dry-run=server", "--patch", `{"data": `+data+`}`)
		assert.ErrorContains(t, err, "denied the request", name)
	}
}
