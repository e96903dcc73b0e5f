package query

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

func TestParametersAreRead(t *testing.T) {
	p, err := parseListing("architecture=x86_64&distro=autosd&target=raspberry-pi&channel=prod&tag=a+b&phase=Available&namespace=team-a&limit=500"+
		"&series=quay.io/acme/autosd&latest=true&sort=-size&fields=name,digest&image=nginx&digest="+imagetest.Digest+"&q=Pi&labelSelector=a%3Db", "")
	require.NoError(t, err)
	assert.ElementsMatch(t, []index.Facet{
		{Kind: index.Architecture, Value: "amd64"}, {Kind: index.Distro, Value: "autosd"}, {Kind: index.Target, Value: "raspberry-pi"},
		{Kind: index.Channel, Value: "prod"}, {Kind: index.Tag, Value: "a b"}, {Kind: index.Phase, Value: "Available"},
		{Kind: index.Namespace, Value: "team-a"}, {Kind: index.Series, Value: "quay.io/acme/autosd"},
	}, p.Facets)
	keys := []string{}
	for _, predicate := range p.Predicates {
		keys = append(keys, predicate.Key)
	}
	assert.ElementsMatch(t, []string{"text pi", "labels a=b"}, keys)
	assert.Equal(t, []any{500, true, index.BySize, true, []string{"name", "digest"}, "index.docker.io/library/nginx:latest", imagetest.Digest},
		[]any{p.Limit, p.Latest, p.Order, p.Descending, p.fields, p.Reference, p.Digest})

	p, err = parseListing("", "team-a")
	require.NoError(t, err)
	assert.Equal(t, index.Query{Limit: 20, Order: index.ByPublished, Descending: true, Facets: []index.Facet{{Kind: index.Namespace, Value: "team-a"}}}, p.Query)
}

func TestBadParametersAreNamed(t *testing.T) {
	for raw, want := range map[string]struct{ parameter, allowed string }{
		"arch=arm64":                      {"arch", strings.Join(append(filtersFor(""), pages...), ", ")},
		"Distro=autosd":                   {"Distro", strings.Join(append(filtersFor(""), pages...), ", ")},
		"architecture=arm64&architecture": {"architecture", "one value"},
		"architecture=":                   {"architecture", allowedFacet},
		"architecture=arm64%2Camd64":      {"architecture", allowedFacet},
		"distro=-x":                       {"distro", allowedFacet},
		"target":                          {"target", allowedFacet},
		"channel=a%20b":                   {"channel", allowedFacet},
		"tag=":                            {"tag", allowedTag},
		"tag=" + strings.Repeat("x", 64):  {"tag", allowedTag},
		"phase=available":                 {"phase", allowedPhase},
		"phase=":                          {"phase", allowedPhase},
		"namespace=Team":                  {"namespace", allowedNamespace},
		"namespace=":                      {"namespace", allowedNamespace},
		"limit=0":                         {"limit", allowedLimit},
		"limit=501":                       {"limit", allowedLimit},
		"limit=-1":                        {"limit", allowedLimit},
		"limit=+1":                        {"limit", allowedLimit},
		"limit=1e1":                       {"limit", allowedLimit},
		"limit=":                          {"limit", allowedLimit},
		"limit=65537":                     {"limit", allowedLimit},
		"continue=":                       {"continue", allowedContinue},
		"continue=xyz":                    {"continue", allowedContinue},
		"series=":                         {"series", allowedSeries},
		"q=+":                             {"q", allowedText},
		"q=" + strings.Repeat("x", 257):   {"q", allowedText},
		"labelSelector=a%3D%3D%3Db":       {"labelSelector", allowedSelector},
		"digest=sha256:ab":                {"digest", allowedDigest},
		"digest=sha512:ab":                {"digest", allowedDigest},
		"image=":                          {"image", allowedReference},
		"image=UPPER/%20":                 {"image", allowedReference},
		"latest=yes":                      {"latest", allowedBool},
		"watch=1":                         {"watch", allowedBool},
		"sort=age":                        {"sort", allowedSort},
		"sort=--name":                     {"sort", allowedSort},
		"fields=":                         {"fields", "some of " + strings.Join(fieldNames, ",")},
		"fields=name,spec":                {"fields", "some of " + strings.Join(fieldNames, ",")},
		"fields=name,name":                {"fields", "some of " + strings.Join(fieldNames, ",")},
		"resourceVersion=-1":              {"resourceVersion", allowedVersion},
		"resourceVersion=01":              {"resourceVersion", allowedVersion},
		"a;b":                             {"", ""},
		"distro=%zz":                      {"", ""},
	} {
		t.Run(raw, func(t *testing.T) {
			_, err := parseListing(raw, "")
			var problem *Problem
			require.ErrorAs(t, err, &problem)
			assert.Equal(t, 400, problem.Status)
			assert.Equal(t, want.parameter, problem.Parameter)
			assert.Equal(t, want.allowed, problem.Allowed)
			assert.Contains(t, problem.Detail, want.parameter)
			assert.Contains(t, problem.Detail, want.allowed)
		})
	}
}

func TestTheNamespaceOfThePathIsTheOnlyOne(t *testing.T) {
	_, err := parseListing("namespace=team-b", "team-a")
	var problem *Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, "namespace", problem.Parameter)

	_, err = parseListing("", "Team_A")
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, allowedNamespace, problem.Allowed)
}

func TestEveryParameterIsTakenOver(t *testing.T) {
	for _, parameter := range append(filtersFor(""), pages...) {
		if parameter == "continue" {
			continue // read after the others
		}
		assert.Error(t, new(parameters).set(parameter, "\x00"+strings.Repeat("x", 2000)), "%s is listed as known and ignored", parameter)
	}
	for _, phase := range v1alpha1.Phases() {
		assert.Contains(t, allowedPhase, string(phase))
	}
}
