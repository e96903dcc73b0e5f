package v1alpha1_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
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
	Properties  map[string]property
	Items       *property
	MaxLength   int
	Enum        []string
	Validations []struct{ Rule string } `json:"x-kubernetes-validations"`
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
}

// A facet may become a label's value or the name in its key: what the schema admits must be one.
func TestTheSchemaAdmitsTheFacetsThatLabelsAdmit(t *testing.T) {
	spec := readCRD(t).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	channel := spec.Properties["channel"]
	require.Len(t, channel.Validations, 1)
	pattern, ok := strings.CutPrefix(channel.Validations[0].Rule, "self.matches('")
	require.True(t, ok, channel.Validations[0].Rule)
	admitted, err := regexp.Compile(strings.TrimSuffix(pattern, "')"))
	require.NoError(t, err)
	for _, value := range []string{"", "a", "a-b", "a_b.c", "A9", "-a", "a-", ".", "a b", "a/b", "ä", "a\n"} {
		assert.Equal(t, len(validation.IsValidLabelValue(value)) == 0, admitted.MatchString(value), "%q", value)
	}
	assert.Equal(t, validation.LabelValueMaxLength, channel.MaxLength)

	metadata := spec.Properties["metadata"]
	facets := map[string]property{"targets.name": metadata.Properties["targets"].Items.Properties["name"]}
	for _, name := range []string{"architecture", "os", "variant", "distro", "distroVersion", "buildMode", "exportFormat"} {
		facets[name] = metadata.Properties[name]
	}
	for name, facet := range facets {
		assert.Equal(t, channel.Validations, facet.Validations, name)
		assert.Equal(t, channel.MaxLength, facet.MaxLength, name)
	}
}

func TestTheSchemaAdmitsIntervalsFromTheShortestOn(t *testing.T) {
	interval := readCRD(t).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["checkInterval"]
	require.Len(t, interval.Validations, 1)
	shortest, ok := strings.CutPrefix(interval.Validations[0].Rule, "duration(self) >= duration('")
	require.True(t, ok, interval.Validations[0].Rule)
	parsed, err := time.ParseDuration(strings.TrimSuffix(shortest, "')"))
	require.NoError(t, err)
	assert.Equal(t, v1alpha1.MinCheckInterval, parsed)
}

func TestTheSchemaKnowsThePhases(t *testing.T) {
	status := readCRD(t).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	assert.ElementsMatch(t, []string{"Pending", "Verifying", "Available", "Unavailable", "Failed"}, status.Properties["phase"].Enum)
}

func keys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}
