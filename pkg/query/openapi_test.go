package query

import (
	"cmp"
	"maps"
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
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
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
			properties
			AllOf []properties `json:"allOf"`
		} `json:"schemas"`
	} `json:"components"`
}

type properties struct {
	Properties map[string]any `json:"properties"`
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

// Each endpoint says which parameters it knows when it is given another one.
func TestTheDescriptionHasTheParameters(t *testing.T) {
	d := readDescription(t)
	base := writableServer(t, catalogOf(imagetest.Image("a", "one", 1)), &stored{Clientset: fake.NewSimpleClientset()})
	for path, operations := range d.Paths {
		if strings.HasPrefix(path, "/v1/") {
			for method, operation := range operations {
				if method != "parameters" {
					address := base + strings.NewReplacer("{namespace}", "a", "{name}", "one").Replace(path) + "?made-up=1"
					refused := decode[Problem](t, send(t, strings.ToUpper(method), address, "{}", nil).body)
					assert.Equal(t, "made-up", refused.Parameter, "%s %s", method, path)
					assert.Equal(t, refused.Allowed, d.parametersOf(operation), "%s %s", method, path)
				}
			}
		}
	}
	for parameter, values := range d.Components.Parameters {
		for _, value := range values.Schema.Enum {
			assert.NoError(t, new(parameters).set(parameter, value), "%s=%s", parameter, value)
		}
	}
	item := slices.Collect(maps.Keys(d.Components.Schemas["Item"].Properties))
	assert.ElementsMatch(t, fieldNames, item)
	assert.ElementsMatch(t, entryFields, slices.AppendSeq(item, maps.Keys(d.Components.Schemas["Entry"].AllOf[1].Properties)))
}

// parametersOf are the names of those in the query string, as a problem lists them.
func (described) parametersOf(operation any) string {
	listed, _ := operation.(map[string]any)["parameters"].([]any)
	names := []string{}
	for _, parameter := range listed {
		name, inline := parameter.(map[string]any)["name"].(string)
		if !inline {
			name = strings.TrimPrefix(parameter.(map[string]any)["$ref"].(string), "#/components/parameters/")
		}
		names = append(names, name)
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// schemas are those of the description that the server gives. Schemas in OpenAPI 3.1 are JSON Schema (draft 2020-12).
type schemas struct {
	*testing.T
	compiler *jsonschema.Compiler
}

func schemasOf(t *testing.T, base string) schemas {
	t.Helper()
	document := request(t, http.MethodGet, base+"/openapi.json", nil)
	require.Equal(t, http.StatusOK, document.status)
	content, err := jsonschema.UnmarshalJSON(strings.NewReader(document.body))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("openapi.json", content))
	return schemas{t, compiler}
}

func (s schemas) check(schema, text, of string) {
	s.Helper()
	compiled, err := s.compiler.Compile("openapi.json#/components/schemas/" + schema)
	require.NoError(s, err)
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(s, err)
	assert.NoError(s, compiled.Validate(body), of)
}

func TestAnswersAreAsDescribed(t *testing.T) {
	full := imagetest.Image("a", "full", 3, imagetest.Available(), imagetest.Checked(1), imagetest.Targets("pi"), imagetest.Tags("x"), imagetest.Distro("autosd"))
	full.Spec.Source = &v1alpha1.Source{Kind: v1alpha1.SourceExternal}
	full.Status.Layers = []v1alpha1.Layer{{Digest: imagetest.Digest, SizeBytes: 1}}
	broken := imagetest.Image("a", "broken", 4, imagetest.Targets("pi"), imagetest.Unready("NotFound", "gone"))
	base := serverFor(t, indexOf(full, broken), everybody())
	described := schemasOf(t, base)
	for path, schema := range map[string]string{
		"/v1/images":                             "Page",
		"/v1/images?limit=1":                     "Page",
		"/v1/images?fields=name,digest":          "Page",
		"/v1/namespaces/a/images":                "Page",
		"/v1/namespaces/a/images/full":           "Entry",
		"/v1/namespaces/a/images/broken":         "Entry",
		"/v1/facets":                             "Facets",
		"/v1/resolve?target=pi":                  "Resolution",
		"/v1/resolve?target=pi&tag=none":         "Problem",
		"/v1/resolve?target=pi&phase=Pending":    "Problem",
		"/v1/images?limit=x":                     "Problem",
		"/v1/images?watch=true&resourceVersion":  "Problem",
		"/v1/namespaces/a/images/full?fields=no": "Problem",
		"/v2":                                    "Problem",
	} {
		described.check(schema, request(t, http.MethodGet, base+path, nil).body, path)
	}
}

func TestEventsAreAsDescribed(t *testing.T) {
	catalog := catalogOf(imagetest.Image("a", "one", 1))
	base := serverOf(t, catalog.Index)
	described := schemasOf(t, base)
	watch := watchAt(t, base+"/v1/images?watch=true")
	next := func() event {
		require.True(t, watch.lines.Scan())
		described.check("Event", watch.lines.Text(), watch.lines.Text())
		return decode[event](t, watch.lines.Text())
	}
	described.check("Item", string(next().Object), "ADDED")
	assert.Equal(t, "BOOKMARK", next().Type)
	catalog.delete("a", "one")
	described.check("Item", string(next().Object), "DELETED")
	must(catalog.Replace(nil, "50")) // another API server
	described.check("Problem", string(next().Object), "ERROR")
}

func TestWritesAreAnsweredAsDescribed(t *testing.T) {
	store := &stored{Clientset: fake.NewSimpleClientset()}
	catalog := catalogOf()
	base := writableServer(t, catalog, store)
	described := schemasOf(t, base)
	added := send(t, http.MethodPost, base+images, `{"metadata":{"name":"one","creationTimestamp":"2026-03-01T12:00:00Z"},"spec":{"image":"quay.io/acme/autosd:1"}}`, nil)
	require.Equal(t, http.StatusCreated, added.status)
	described.check("Entry", added.body, "add")
	recalled := send(t, http.MethodPost, base+images+"/one/recall", `{"reason":"the Wi-Fi driver"}`, nil)
	require.Equal(t, http.StatusOK, recalled.status)
	described.check("Entry", recalled.body, "recall")
	checking := send(t, http.MethodPost, base+images+"/one/verify?timeout=10ms", "", nil)
	require.Equal(t, http.StatusAccepted, checking.status)
	described.check("Verification", checking.body, "verify")
}
