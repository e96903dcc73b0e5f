package v1alpha1_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// crd holds those parts of a CustomResourceDefinition on which the Go types depend.
type crd struct {
	Metadata struct{ Name string }
	Spec     struct {
		Group string
		Scope string
		Names struct {
			Kind, ListKind, Plural, Singular string
			ShortNames                       []string
		}
		Versions []struct {
			Name            string
			Served, Storage bool
			Subresources    map[string]any
			Schema          struct {
				OpenAPIV3Schema property `json:"openAPIV3Schema"`
			}
		}
	}
}

type property struct {
	Properties map[string]property
	Pattern    string
	MaxLength  int
	Enum       []string
}

func readCRD(t *testing.T) crd {
	t.Helper()
	manifest, err := os.ReadFile("../../../../config/300-catalogimage.yaml")
	require.NoError(t, err)
	var definition crd
	require.NoError(t, yaml.Unmarshal(manifest, &definition))
	return definition
}

func TestTheCRDIsOfTheGoTypes(t *testing.T) {
	definition := readCRD(t)
	names := definition.Spec.Names
	assert.Equal(t, catalog.GroupName, definition.Spec.Group)
	assert.Equal(t, names.Plural+"."+catalog.GroupName, definition.Metadata.Name)
	assert.Equal(t, "Namespaced", definition.Spec.Scope)
	assert.Equal(t, v1alpha1.Resource("catalogimages"), schema.GroupResource{Group: definition.Spec.Group, Resource: names.Plural})
	assert.Equal(t, "catalogimage", names.Singular)
	assert.Equal(t, []string{"cimg"}, names.ShortNames)

	require.Len(t, definition.Spec.Versions, 1)
	version := definition.Spec.Versions[0]
	assert.True(t, version.Served)
	assert.True(t, version.Storage)
	assert.Equal(t, []string{"status"}, keys(version.Subresources), "the status is written apart from the spec, and there is no scale")

	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	groupVersion := schema.GroupVersion{Group: definition.Spec.Group, Version: version.Name}
	for kind, want := range map[string]runtime.Object{names.Kind: &v1alpha1.CatalogImage{}, names.ListKind: &v1alpha1.CatalogImageList{}} {
		object, err := scheme.New(groupVersion.WithKind(kind))
		require.NoError(t, err)
		assert.IsType(t, want, object)
	}
	assert.Equal(t, groupVersion.WithKind(names.Kind), (&v1alpha1.CatalogImage{}).GetGroupVersionKind())
	assert.Equal(t, v1alpha1.Kind(names.Kind), schema.GroupKind{Group: definition.Spec.Group, Kind: names.Kind})
}

// The schema is what refuses first: where it and the webhook judge the same, they must judge alike.
func TestTheSchemaAndTheWebhookAgreeOnFacets(t *testing.T) {
	spec := readCRD(t).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	facet := spec.Properties["channel"]
	pattern, err := regexp.Compile(facet.Pattern)
	require.NoError(t, err)
	for _, value := range []string{"", "a", "a-b", "a_b.c", "A9", "-a", "a-", ".", "a b", "a/b", "ä", "a\n"} {
		entry := v1alpha1.CatalogImageSpec{Image: "a/b", Channel: v1alpha1.Facet(value)}
		assert.Equal(t, entry.Validate(t.Context()) == nil, pattern.MatchString(value), "%q", value)
	}
	assert.Equal(t, 63, facet.MaxLength)
	assert.ElementsMatch(t, []string{"Pending", "Verifying", "Available", "Unavailable", "Failed"},
		readCRD(t).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"].Properties["phase"].Enum)
}

func keys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}
