package query

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestParametersAreRead(t *testing.T) {
	q, err := parseQuery("architecture=x86_64&distro=autosd&target=raspberry-pi&channel=prod&tag=a+b&phase=Available&namespace=team-a&limit=500", "")
	require.NoError(t, err)
	assert.Equal(t, &query{limit: 500, filter: filter{
		architecture: "amd64", distro: "autosd", target: "raspberry-pi", channel: "prod", tag: "a b",
		phase: v1alpha1.PhaseAvailable, namespace: "team-a",
	}}, q)

	q, err = parseQuery("", "team-a")
	require.NoError(t, err)
	assert.Equal(t, &query{limit: 20, filter: filter{namespace: "team-a"}}, q)
}

func TestBadParametersAreNamed(t *testing.T) {
	for raw, want := range map[string]struct{ parameter, allowed string }{
		"arch=arm64":                      {"arch", strings.Join(parameterNames(""), ", ")},
		"Distro=autosd":                   {"Distro", strings.Join(parameterNames(""), ", ")},
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
		"a;b":                             {"", ""},
		"distro=%zz":                      {"", ""},
	} {
		t.Run(raw, func(t *testing.T) {
			_, err := parseQuery(raw, "")
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
	_, err := parseQuery("namespace=team-b", "team-a")
	var problem *Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, "namespace", problem.Parameter)

	_, err = parseQuery("", "Team_A")
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, allowedNamespace, problem.Allowed)
}

func TestEveryParameterIsTakenOver(t *testing.T) {
	for _, parameter := range parameterNames("") {
		if parameter == "continue" {
			continue // read after the others
		}
		assert.Error(t, new(query).set(parameter, "\x00"+strings.Repeat("x", 100)), "%s is listed as known and ignored", parameter)
	}
	for _, phase := range v1alpha1.Phases() {
		assert.Contains(t, allowedPhase, string(phase))
	}
}
