package query

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// described is what the tests read of openapi.yaml.
type described struct {
	Paths      map[string]map[string]any `json:"paths"`
	Components struct {
		Parameters map[string]struct {
			Schema struct {
				Enum []string `json:"enum"`
			} `json:"schema"`
		} `json:"parameters"`
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func readDescription(t *testing.T) described {
	t.Helper()
	var d described
	require.NoError(t, yaml.Unmarshal(description, &d))
	return d
}

var pathParameter = regexp.MustCompile(`:([a-z]+)`)

func TestTheDescriptionHasTheRoutes(t *testing.T) {
	var documented, routed []string
	for path, operations := range readDescription(t).Paths {
		for method := range operations {
			if method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range routes(index.New(), nil, nil, nil, newStopping()) {
		routed = append(routed, r.method+" "+pathParameter.ReplaceAllString(r.path, "{$1}"))
	}
	assert.ElementsMatch(t, routed, documented)
}

func TestTheDescriptionHasTheParameters(t *testing.T) {
	d := readDescription(t)
	for path, known := range map[string][]string{
		"/v1/images":                        slices.Concat(filtersFor(""), pages),
		"/v1/namespaces/{namespace}/images": slices.Concat(filtersFor("a"), pages),
		"/v1/facets":                        filtersFor(""),
		"/v1/resolve":                       filtersFor(""),
	} {
		var documented []string
		for _, parameter := range d.Paths[path]["get"].(map[string]any)["parameters"].([]any) {
			documented = append(documented, strings.TrimPrefix(parameter.(map[string]any)["$ref"].(string), "#/components/parameters/"))
		}
		assert.ElementsMatch(t, known, documented, path)
	}
	for parameter, values := range d.Components.Parameters {
		for _, value := range values.Schema.Enum {
			assert.NoError(t, new(parameters).set(parameter, value), "%s=%s", parameter, value)
		}
	}
	var fields []string
	for field := range d.Components.Schemas["Item"].Properties {
		fields = append(fields, field)
	}
	assert.ElementsMatch(t, fieldNames, fields)
}

// Schemas in OpenAPI 3.1 are JSON Schema (draft 2020-12).
func TestAnswersAreAsDescribed(t *testing.T) {
	full := imagetest.Image("a", "full", 3, imagetest.Available(), imagetest.Checked(1), imagetest.Targets("pi"), imagetest.Tags("x"), imagetest.Distro("autosd"))
	full.Spec.Source = &v1alpha1.Source{Kind: v1alpha1.SourceExternal}
	full.Status.Layers = []v1alpha1.Layer{{Digest: imagetest.Digest, SizeBytes: 1}}
	broken := imagetest.Image("a", "broken", 4, imagetest.Targets("pi"), imagetest.Unready("NotFound", "gone"))
	base := serverFor(t, indexOf(full, broken), everybody())
	document := request(t, http.MethodGet, base+"/openapi.json", nil)
	require.Equal(t, http.StatusOK, document.status)
	content, err := jsonschema.UnmarshalJSON(strings.NewReader(document.body))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("openapi.json", content))
	for path, schema := range map[string]string{
		"/v1/images":                            "Page",
		"/v1/images?limit=1":                    "Page",
		"/v1/images?fields=name,digest":         "Page",
		"/v1/namespaces/a/images":               "Page",
		"/v1/namespaces/a/images/full":          "Entry",
		"/v1/namespaces/a/images/broken":        "Entry",
		"/v1/facets":                            "Facets",
		"/v1/resolve?target=pi":                 "Resolution",
		"/v1/resolve?target=pi&tag=none":        "Problem",
		"/v1/resolve?target=pi&phase=Pending":   "Problem",
		"/v1/images?limit=x":                    "Problem",
		"/v1/images?watch=true&resourceVersion": "Problem",
		"/v2":                                   "Problem",
	} {
		compiled, err := compiler.Compile("openapi.json#/components/schemas/" + schema)
		require.NoError(t, err)
		body, err := jsonschema.UnmarshalJSON(strings.NewReader(request(t, http.MethodGet, base+path, nil).body))
		require.NoError(t, err)
		assert.NoError(t, compiled.Validate(body), path)
	}
}
