// Package installation holds the manifests of config/ to what clusters demand of them: the Pod Security Standard
// "restricted", OpenShift's security context constraint restricted-v2, and no more rights than are needed.
package installation

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	configuration = "../../config"
	namespace     = "image-catalog"
	partOf        = "app.kubernetes.io/part-of"
)

// clusterScoped are the kinds of config/ that live in no namespace; all others do.
var clusterScoped = []string{
	"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
	"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
}

// manifests are the objects of config/ in the order in which they are applied.
func manifests(t *testing.T) (objects []*unstructured.Unstructured) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(configuration, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, path)
			object := &unstructured.Unstructured{}
			require.NoError(t, yaml.UnmarshalStrict(document, &object.Object), path)
			objects = append(objects, object)
		}
	}
	return objects
}

// ofKind gives the objects of a kind, which has to have some, in their Go type; a field that the type does not have is
// an error.
func ofKind[T any](t *testing.T, kind string) (typed []*T) {
	t.Helper()
	for _, object := range manifests(t) {
		if object.GetKind() == kind {
			typed = append(typed, convert[T](t, object.Object))
		}
	}
	require.NotEmpty(t, typed, kind)
	return typed
}

func convert[T any](t *testing.T, content map[string]any) *T {
	t.Helper()
	typed := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(content, typed, true))
	return typed
}

// name says which object is meant.
func name(object *unstructured.Unstructured) string {
	return object.GetKind() + " " + object.GetName()
}

// By the label the installation is found: when it is upgraded, what no longer belongs to it is removed by it.
func TestEveryObjectIsPartOfTheCatalog(t *testing.T) {
	for _, object := range manifests(t) {
		assert.Equal(t, namespace, object.GetLabels()[partOf], name(object))
	}
}

func TestWhatCanIsInOurNamespace(t *testing.T) {
	for _, object := range manifests(t) {
		if slices.Contains(clusterScoped, object.GetKind()) {
			assert.Empty(t, object.GetNamespace(), name(object))
		} else {
			assert.Equal(t, namespace, object.GetNamespace(), name(object))
		}
	}
}

// One `kubectl apply` works through the manifests in their order, also on a cluster that has none of them.
func TestTheOrderSuitsAFreshCluster(t *testing.T) {
	var kinds []string
	for _, object := range manifests(t) {
		kinds = append(kinds, object.GetKind())
	}
	assert.Equal(t, "Namespace", kinds[0])
	assert.Equal(t, 1, count(kinds, "Namespace"))
	binaries := slices.Index(kinds, "Deployment")
	require.Positive(t, binaries)
	for _, needed := range []string{"ServiceAccount", "RoleBinding", "ClusterRoleBinding", "CustomResourceDefinition", "ConfigMap"} {
		assert.Contains(t, kinds, needed)
		assert.NotContains(t, kinds[binaries:], needed, "a binary would start without it")
	}
}

func count(all []string, wanted string) (n int) {
	for _, one := range all {
		if one == wanted {
			n++
		}
	}
	return n
}
