//go:build controlplane

package controlplane

import (
	"fmt"
	"strings"
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
	const (
		facet = "use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
		named = "name the run or build that made the image; only kind External goes without"
	)
	namespace := newNamespace(t)
	for name, test := range map[string]struct{ spec, want string }{
		"no image":            {`{}`, `spec.image: Required value`},
		"empty image":         {`{image: ""}`, `spec.image: Invalid value: "": spec.image in body should be at least 1 chars long`},
		"no reference":        {`{image: "UPPER/case:1"}`, `invalid value: UPPER/case:1: spec.image` + "\n" + `write a reference such as quay.io/acme/autosd:rpi4-1.2`},
		"short digest":        {`{image: "a/b:1", digest: "sha256:abc"}`, `spec.digest in body should match '^sha256:[0-9a-f]{64}$'`},
		"another algorithm":   {`{image: "a/b:1", digest: "` + strings.Replace(digestOf("a"), "sha256", "sha512", 1) + `"}`, `spec.digest in body should match '^sha256:[0-9a-f]{64}$'`},
		"two digests":         {`{image: "a/b@` + digestOf("a") + `", digest: "` + digestOf("b") + `"}`, `image names another digest, ` + digestOf("a") + `; keep one of the two`},
		"interval too short":  {`{image: "a/b:1", checkInterval: 59s}`, `spec.checkInterval: Invalid value: "59s": must be at least 1m`},
		"interval of nothing": {`{image: "a/b:1", checkInterval: 0s}`, `spec.checkInterval: Invalid value: "0s": must be at least 1m`},
		"interval of no time": {`{image: "a/b:1", checkInterval: soon}`, `time: invalid duration "soon"`},
		"channel":             {`{image: "a/b:1", channel: "pre prod"}`, `spec.channel: Invalid value: "pre prod": ` + facet},
		"facet":               {`{image: "a/b:1", metadata: {distro: "auto sd"}}`, `spec.metadata.distro: Invalid value: "auto sd": ` + facet},
		"long facet":          {`{image: "a/b:1", metadata: {buildMode: ` + strings.Repeat("a", 64) + `}}`, `spec.metadata.buildMode: Too long: may not be more than 63 bytes`},
		"target":              {`{image: "a/b:1", metadata: {targets: [{name: qemu}, {name: rpi/4}]}}`, `spec.metadata.targets[1].name: Invalid value: "rpi/4": ` + facet},
		"target without name": {`{image: "a/b:1", metadata: {targets: [{verified: true}]}}`, `spec.metadata.targets[0].name: Required value`},
		"empty target":        {`{image: "a/b:1", metadata: {targets: [{name: ""}]}}`, `spec.metadata.targets[0].name in body should be at least 1 chars long`},
		"target twice":        {`{image: "a/b:1", metadata: {targets: [{name: qemu}, {name: qemu}]}}`, `spec.metadata.targets[1]: Duplicate value`},
		"unknown kind":        {`{image: "a/b:1", source: {kind: Job}}`, `supported values: "External", "PipelineRun", "TaskRun", "ImageBuild"`},
		"unnamed run":         {`{image: "a/b:1", source: {kind: TaskRun}}`, `spec.source.name: Required value: ` + named},
		"run of empty name":   {`{image: "a/b:1", source: {kind: ImageBuild, name: ""}}`, `spec.source.name: Required value: ` + named},
		"nameless secret":     {`{image: "a/b:1", imagePullSecrets: [{name: quay}, {}]}`, `spec.imagePullSecrets[1].name: Required value: name a secret in the entry's namespace`},
		"secret of no name":   {`{image: "a/b:1", imagePullSecrets: [{name: ""}]}`, `spec.imagePullSecrets[0].name: Required value: name a secret in the entry's namespace`},
		"unknown field":       {`{image: "a/b:1", tag: x}`, `unknown field "spec.tag"`},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := fmt.Sprintf("{apiVersion: imagecatalog.dev/v1alpha1, kind: CatalogImage, metadata: {namespace: %s, name: bad}, spec: %s}", namespace, test.spec)
			err := kubectl(t.Context(), manifest, "apply", "--filename", "-")
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "metadata.labels", "the user wrote no label")
		})
	}
}

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

func TestCreatorCannotBeForged(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	entry := newEntry("forged", "quay.io/acme/autosd:1")
	entry.Annotations = map[string]string{"imagecatalog.dev/creator": "somebody-else"}
	entry, err := entries.Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.NotEqual(t, "somebody-else", entry.Annotations["imagecatalog.dev/creator"])

	_, err = change(t, entries, "forged", func(entry *v1alpha1.CatalogImage) {
		entry.Annotations["imagecatalog.dev/creator"] = "somebody-else"
	})
	assert.ErrorContains(t, err, "imagecatalog.dev/creator")
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
