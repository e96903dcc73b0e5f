//go:build controlplane

package controlplane

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/fuzzer"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// arbitrarySeed is SEED, to have the same entries again, else a new one.
func arbitrarySeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv("SEED"); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("to have the same entries again: SEED=%d", seed)
	return seed
}

// schemaIn is the schema of a kind, by its file in config/.
func schemaIn(t *testing.T, file string) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	content, err := os.ReadFile("../../config/" + file)
	require.NoError(t, err)
	var crd apiextensionsv1.CustomResourceDefinition
	require.NoError(t, yaml.UnmarshalStrict(content, &crd))
	return *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// Whatever the API server and the webhook admit, the catalog can read, and the controller judges.
func TestArbitraryEntries(t *testing.T) {
	seed, namespace := arbitrarySeed(t), newNamespace(t)
	quiet := rest.CopyConfig(config)
	quiet.WarningHandler = rest.NoWarnings{} // about unknown fields, which are there on purpose
	client, err := dynamic.NewForConfig(quiet)
	require.NoError(t, err)
	entries := client.Resource(v1alpha1.SchemeGroupVersion.WithResource("catalogimages")).Namespace(namespace)

	const writes = 300
	arbitrary := fuzzer.New(schemaIn(t, "300-catalogimage.yaml"), seed)
	admitted := map[string]bool{}
	updated := 0
	for n := range writes {
		name := fmt.Sprintf("entry-%d", n)
		object := arbitrary.Object("imagecatalog.dev/v1alpha1", "CatalogImage", name)
		stored, err := entries.Create(t.Context(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
		if err != nil {
			continue
		}
		admitted[name] = true
		stored.Object["spec"] = arbitrary.Mutated(object)["spec"]
		if _, err := entries.Update(t.Context(), stored, metav1.UpdateOptions{}); err == nil {
			updated++
		}
	}
	t.Logf("of %d entries, %d are admitted, and %d of their updates", writes, len(admitted), updated)
	assert.Greater(t, len(admitted), writes/10)
	assert.Less(t, len(admitted), writes*9/10)
	assert.Positive(t, updated)

	assert.Eventually(t, func() bool { return len(judged(t, namespace)) == len(admitted) }, 4*patience, 200*time.Millisecond, "each admitted entry gets a status")
	for name := range judged(t, namespace) {
		assert.True(t, admitted[name], name)
	}
	for _, webhook := range installed.Webhooks {
		assert.NoError(t, webhook.AwaitReady(t.Context()), webhook.Name)
	}
}

// judged are the entries whose status speaks of their newest spec, as the catalog's own client reads them.
func judged(t *testing.T, namespace string) map[string]bool {
	t.Helper()
	list, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err, "one entry that cannot be read, and none can be listed")
	found := map[string]bool{}
	for _, entry := range list.Items {
		if entry.Status.ObservedGeneration == entry.Generation && len(entry.Status.Conditions) > 0 {
			found[entry.Name] = true
		}
	}
	return found
}
