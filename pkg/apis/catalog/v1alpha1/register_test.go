package v1alpha1_test

import (
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"knative.dev/pkg/kmeta"
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
	Type, Description, Pattern, Format string
	Properties                         map[string]property
	AdditionalProperties               *property
	Items                              *property
	MaxLength, MaxItems                *int
	Enum                               []string
	Validations                        []struct{ Rule, Message string } `json:"x-kubernetes-validations"`
}

// readCRD reads that of the kind with a singular name.
func readCRD(t *testing.T, singular string) crd {
	t.Helper()
	manifest, err := os.ReadFile("../../../../config/300-" + singular + ".yaml")
	require.NoError(t, err)
	var definition crd
	require.NoError(t, yaml.Unmarshal(manifest, &definition))
	return definition
}

func TestTheCRDsAreOfTheGoTypes(t *testing.T) {
	for singular, kind := range map[string]struct {
		scope, plural, short string
		object               kmeta.OwnerRefable
		list                 runtime.Object
	}{
		"catalogimage":  {"Namespaced", "catalogimages", "cimg", &v1alpha1.CatalogImage{}, &v1alpha1.CatalogImageList{}},
		"catalogpolicy": {"Cluster", "catalogpolicies", "cpol", &v1alpha1.CatalogPolicy{}, &v1alpha1.CatalogPolicyList{}},
	} {
		t.Run(singular, func(t *testing.T) {
			definition := readCRD(t, singular)
			names := definition.Spec.Names
			assert.Equal(t, catalog.GroupName, definition.Spec.Group)
			assert.Equal(t, names.Plural+"."+catalog.GroupName, definition.Metadata.Name)
			assert.Equal(t, kind.scope, definition.Spec.Scope)
			assert.Equal(t, v1alpha1.Resource(kind.plural), schema.GroupResource{Group: definition.Spec.Group, Resource: names.Plural})
			assert.Equal(t, singular, names.Singular)
			assert.Equal(t, []string{kind.short}, names.ShortNames)

			require.Len(t, definition.Spec.Versions, 1)
			version := definition.Spec.Versions[0]
			assert.True(t, version.Served)
			assert.True(t, version.Storage)
			assert.Equal(t, []string{"status"}, keys(version.Subresources), "the status is written apart from the spec, and there is no scale")

			scheme := runtime.NewScheme()
			require.NoError(t, v1alpha1.AddToScheme(scheme))
			groupVersion := schema.GroupVersion{Group: definition.Spec.Group, Version: version.Name}
			for name, want := range map[string]any{names.Kind: kind.object, names.ListKind: kind.list} {
				object, err := scheme.New(groupVersion.WithKind(name))
				require.NoError(t, err)
				assert.IsType(t, want, object)
			}
			assert.Equal(t, groupVersion.WithKind(names.Kind), kind.object.GetGroupVersionKind())
		})
	}
}

// A facet may become a label's value or the name in its key: what the schema admits must be one.
func TestTheSchemaAdmitsTheFacetsThatLabelsAdmit(t *testing.T) {
	spec := readCRD(t, "catalogimage").Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	channel := spec.Properties["channel"]
	require.Len(t, channel.Validations, 1)
	pattern, ok := strings.CutPrefix(channel.Validations[0].Rule, "self.matches('")
	require.True(t, ok, channel.Validations[0].Rule)
	admitted, err := regexp.Compile(strings.TrimSuffix(pattern, "')"))
	require.NoError(t, err)
	for _, value := range []string{"", "a", "a-b", "a_b.c", "A9", "-a", "a-", ".", "a b", "a/b", "ä", "a\n"} {
		assert.Equal(t, len(validation.IsValidLabelValue(value)) == 0, admitted.MatchString(value), "%q", value)
	}
	assert.Equal(t, validation.LabelValueMaxLength, *channel.MaxLength)

	metadata := spec.Properties["metadata"]
	facets := map[string]property{"series": spec.Properties["series"], "targets.name": metadata.Properties["targets"].Items.Properties["name"]}
	for _, name := range []string{"architecture", "os", "variant", "distro", "distroVersion", "buildMode", "exportFormat"} {
		facets[name] = metadata.Properties[name]
	}
	for name, facet := range facets {
		assert.Equal(t, channel.Validations, facet.Validations, name)
		assert.Equal(t, channel.MaxLength, facet.MaxLength, name)
	}
}

func TestTheSchemaAdmitsTheIntervalsThatTheTypesDo(t *testing.T) {
	interval := readCRD(t, "catalogimage").Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["checkInterval"]
	require.Len(t, interval.Validations, 1)
	bounds := regexp.MustCompile(`duration\('([^']*)'\)`).FindAllStringSubmatch(interval.Validations[0].Rule, -1)
	require.Len(t, bounds, 2)
	for n, want := range []time.Duration{v1alpha1.MinCheckInterval, v1alpha1.MaxCheckInterval} {
		parsed, err := time.ParseDuration(bounds[n][1])
		require.NoError(t, err)
		assert.Equal(t, want, parsed)
		assert.Contains(t, interval.Validations[0].Message, bounds[n][1])
	}
}

// knativesOwn are the parts of the status that come with knative's type, which has no bounds; the rules of the status
// bound them.
var knativesOwn = map[string]string{
	"status.annotations":                     "size(self.annotations) <= 16",
	"status.annotations.*":                   "size(self.annotations[key]) <= 1024",
	"status.conditions":                      "size(self.conditions) <= 16",
	"status.conditions[].lastTransitionTime": "size(c.lastTransitionTime) <= 64",
	"status.conditions[].message":            "size(c.message) <= " + strconv.Itoa(v1alpha1.MaxMessage),
	"status.conditions[].reason":             "size(c.reason) <= 64",
	"status.conditions[].severity":           "size(c.severity) <= 16",
	"status.conditions[].status":             "size(c.status) <= 16",
	"status.conditions[].type":               "size(c.type) <= 64",
}

// kubernetesOwn are the same of Kubernetes' label selectors; what is in their texts the webhook bounds, since they are labels.
var kubernetesOwn = map[string]string{
	"spec.namespaceSelector.matchLabels":                 "size(self.matchLabels) <= 16",
	"spec.namespaceSelector.matchLabels.*":               "size(self.matchLabels) <= 16",
	"spec.namespaceSelector.matchExpressions":            "size(self.matchExpressions) <= 16",
	"spec.namespaceSelector.matchExpressions[].key":      "size(self.matchExpressions) <= 16",
	"spec.namespaceSelector.matchExpressions[].operator": "size(self.matchExpressions) <= 16",
	"spec.namespaceSelector.matchExpressions[].values":   "size(e.values) <= 64",
	"spec.namespaceSelector.matchExpressions[].values[]": "size(e.values) <= 64",
}

func TestTheSchemasExplainAndBoundEveryField(t *testing.T) {
	for singular, others := range map[string][]map[string]string{"catalogimage": {knativesOwn}, "catalogpolicy": {knativesOwn, kubernetesOwn}} {
		t.Run(singular, func(t *testing.T) {
			explainsAndBounds(t, readCRD(t, singular).Spec.Versions[0].Schema.OpenAPIV3Schema, others)
		})
	}
}

// explainsAndBounds allows for fields of others' types that rules bound, each of which must be there.
func explainsAndBounds(t *testing.T, root property, others []map[string]string) {
	t.Helper()
	ruled := map[string]string{}
	for _, other := range others {
		maps.Copy(ruled, other)
	}
	var rules strings.Builder
	for _, own := range []string{"spec", "status"} {
		walk(root.Properties[own], own, func(path string, field property) {
			for _, validation := range field.Validations {
				rules.WriteString(validation.Rule)
			}
			if !strings.HasSuffix(path, "[]") && !strings.HasSuffix(path, ".*") {
				assert.NotEmpty(t, field.Description, "%s is not explained", path)
			}
			if _, ok := ruled[path]; !ok {
				assert.True(t, field.bounded(), "%s has no bound: give it maxLength, pattern, enum, format or maxItems", path)
			}
		})
	}
	for path, rule := range ruled {
		assert.Contains(t, rules.String(), rule, path)
	}
}

func (p *property) bounded() bool {
	switch p.Type {
	case "string":
		return p.MaxLength != nil || p.Pattern != "" || p.Format != "" || len(p.Enum) > 0
	case "array":
		return p.MaxItems != nil
	default:
		return p.AdditionalProperties == nil
	}
}

func walk(field property, path string, visit func(string, property)) {
	visit(path, field)
	for name, child := range field.Properties {
		walk(child, path+"."+name, visit)
	}
	if field.Items != nil {
		walk(*field.Items, path+"[]", visit)
	}
	if field.AdditionalProperties != nil {
		walk(*field.AdditionalProperties, path+".*", visit)
	}
}

// What the registry layer and the verbs can write must fit, or the controller's write is refused as a whole.
func TestTheSchemaAdmitsWhatTheControllerWrites(t *testing.T) {
	status := readCRD(t, "catalogimage").Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	layers, platforms := status.Properties["layers"], status.Properties["platforms"]
	assert.Equal(t, v1alpha1.MaxLayers, *layers.MaxItems)
	assert.Equal(t, v1alpha1.MaxPlatforms, *platforms.MaxItems)
	assert.Equal(t, v1alpha1.MaxUser, *status.Properties["publishedBy"].MaxLength)
	for _, of := range []property{status, *layers.Items, *platforms.Items} {
		for _, name := range []string{"digest", "mediaType", "artifactType", "architecture", "os", "variant"} {
			if field, ok := of.Properties[name]; ok {
				assert.Equal(t, v1alpha1.MaxName, *field.MaxLength, name)
			}
		}
	}
	longest := v1alpha1.CatalogImageSpec{Image: strings.Repeat("a", 240), Digest: digestA}
	ref, err := longest.Reference()
	require.NoError(t, err)
	written := *readCRD(t, "catalogimage").Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["image"].MaxLength
	assert.LessOrEqual(t, written+len(ref.Name())-len(longest.Image), *status.Properties["image"].MaxLength)
}

func TestTheSchemaKnowsThePhases(t *testing.T) {
	status := readCRD(t, "catalogimage").Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	assert.ElementsMatch(t, []string{"Pending", "Verifying", "Available", "Unavailable", "Failed"}, status.Properties["phase"].Enum)
}

func keys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// The verbs of a policy and of a verdict keep to the same bounds as the schemas.
func TestTheSchemasAdmitWhatIsSaidOfPolicies(t *testing.T) {
	policy := readCRD(t, "catalogpolicy").Spec.Versions[0].Schema.OpenAPIV3Schema
	status, authority := policy.Properties["status"], policy.Properties["spec"].Properties["authorities"]
	assert.Equal(t, v1alpha1.MaxUnsatisfied, *status.Properties["unsatisfied"].MaxItems)
	assert.Equal(t, *authority.MaxItems, *status.Properties["keys"].MaxItems)
	for _, data := range []property{authority.Items.Properties["key"].Properties["data"], status.Properties["keys"].Items.Properties["data"]} {
		assert.Equal(t, v1alpha1.MaxKeyData, *data.MaxLength)
	}
	verification := readCRD(t, "catalogimage").Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"].Properties["verification"]
	verdicts := verification.Properties["policies"]
	assert.Equal(t, v1alpha1.MaxPolicies, *verdicts.MaxItems)
	assert.Equal(t, v1alpha1.MaxVerdict, *verdicts.Items.Properties["message"].MaxLength)
	assert.Equal(t, v1alpha1.MaxSigners, *verification.Properties["signers"].MaxItems)
	assert.Equal(t, *authority.Items.Properties["name"].MaxLength, *verification.Properties["signers"].Items.Properties["authority"].MaxLength)
	assert.ElementsMatch(t, []string{"enforce", "warn"}, policy.Properties["spec"].Properties["mode"].Enum)
}
