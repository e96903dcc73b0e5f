//go:build controlplane

package controlplane

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// What a user gets to read for a bad entry, from the schema or from the webhook.
func TestBadEntriesAreRefusedInWordsThatHelp(t *testing.T) {
	namespace := newNamespace(t)
	for name, test := range map[string]struct{ spec, want string }{
		"no image":           {`{}`, `spec.image: Required value`},
		"empty image":        {`{image: ""}`, `spec.image: Invalid value: "": spec.image in body should be at least 1 chars long`},
		"no reference":       {`{image: "UPPER/case:1"}`, `invalid value: UPPER/case:1: spec.image` + "\n" + `write a reference such as quay.io/acme/autosd:rpi4-1.2`},
		"short digest":       {`{image: "a/b:1", digest: "sha256:abc"}`, `spec.digest in body should match '^sha256:[0-9a-f]{64}$'`},
		"two digests":        {`{image: "a/b@` + digestOf("a") + `", digest: "` + digestOf("b") + `"}`, `image names another digest, ` + digestOf("a") + `; keep one of the two`},
		"interval too short": {`{image: "a/b:1", checkInterval: 10s}`, `spec.checkInterval: Invalid value: "10s": must be at least 1m`},
		"bad facet":          {`{image: "a/b:1", metadata: {distro: "auto sd"}}`, `spec.metadata.distro`},
		"target twice":       {`{image: "a/b:1", metadata: {targets: [{name: qemu}, {name: qemu}]}}`, `spec.metadata.targets[1]: Duplicate value`},
		"unknown kind":       {`{image: "a/b:1", source: {kind: Job}}`, `supported values: "External", "PipelineRun", "TaskRun", "ImageBuild"`},
		"unnamed run":        {`{image: "a/b:1", source: {kind: TaskRun}}`, `spec.source.name: Invalid value: name is required unless kind is External`},
		"nameless secret":    {`{image: "a/b:1", imagePullSecrets: [{}]}`, `missing field(s): spec.imagePullSecrets[0].name` + "\n" + `name a secret in the entry's namespace`},
		"unknown field":      {`{image: "a/b:1", tag: x}`, `unknown field "spec.tag"`},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := fmt.Sprintf("{apiVersion: imagecatalog.dev/v1alpha1, kind: CatalogImage, metadata: {namespace: %s, name: bad}, spec: %s}", namespace, test.spec)
			assert.ErrorContains(t, kubectl(t.Context(), manifest, "apply", "--filename", "-"), test.want)
		})
	}
}

func TestAdmissionLeavesTheSpecAsItIs(t *testing.T) {
	namespace := newNamespace(t)
	spec := map[string]any{
		"image":         "quay.io/acme/autosd:1",
		"checkInterval": "60m",
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
	entry, err := entries.Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)

	entry.Spec.Metadata.Targets = entry.Spec.Metadata.Targets[1:]
	entry.Spec.Channel = "prod"
	entry, err = entries.Update(t.Context(), entry, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"mine":                                 "stays",
		"imagecatalog.dev/channel":             "prod",
		"target.imagecatalog.dev/raspberry-pi": "",
	}, entry.Labels)
}

func TestCreatorCannotBeForged(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	entry := newEntry("forged", "quay.io/acme/autosd:1")
	entry.Annotations = map[string]string{"imagecatalog.dev/creator": "somebody-else"}
	entry, err := entries.Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.NotEqual(t, "somebody-else", entry.Annotations["imagecatalog.dev/creator"])

	entry.Annotations["imagecatalog.dev/creator"] = "somebody-else"
	_, err = entries.Update(t.Context(), entry, metav1.UpdateOptions{})
	assert.ErrorContains(t, err, "imagecatalog.dev/creator")
}
