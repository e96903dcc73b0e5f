package query

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

func TestATokenComesBackAsItWas(t *testing.T) {
	written := token{Query: 7, Version: 1 << 60, Namespace: "team-a", Name: "autosd-1"}
	read, err := parseToken(written.String(), 7)
	require.NoError(t, err)
	assert.Equal(t, &written, read)
}

func TestForeignTokensAreRefused(t *testing.T) {
	good := token{Query: 7, Version: 1, Namespace: "a", Name: "b"}
	raw := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
	written := string(index.Encode(good))
	for name, text := range map[string]string{
		"empty":               "",
		"not base64":          "*",
		"padded":              good.String() + "=",
		"with a line break":   good.String()[:4] + "\n" + good.String()[4:],
		"not JSON":            raw("hello"),
		"cut short":           good.String()[:len(good.String())-4],
		"with a space":        raw(" " + written),
		"with something else": raw(strings.Replace(written, "{", `{"x":1,`, 1)),
		"with a field twice":  raw(strings.Replace(written, "{", `{"v":2,`, 1)),
		"with another after":  raw(written + written),
		"too long":            token{Query: 7, Name: strings.Repeat("x", maxToken)}.String(),
		"of another query":    token{Query: 8, Version: 1, Namespace: "a", Name: "b"}.String(),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseToken(text, 7)
			var problem *Problem
			require.ErrorAs(t, err, &problem)
			assert.Equal(t, "continue", problem.Parameter)
			assert.Equal(t, 400, problem.Status)
		})
	}
}

func TestQueriesHaveIdentitiesOfTheirOwn(t *testing.T) {
	seen := map[uint64]string{}
	for _, raw := range []string{
		"", "namespace=a", "architecture=a", "distro=a", "target=a", "channel=a", "series=a", "tag=a", "phase=Failed", "q=a", "labelSelector=a",
		"digest=" + imagetest.Digest, "image=a", "latest=true", "sort=name", "sort=-name", "distro=a&target=b", "distro=ab", "tag=a%26phase%3DFailed",
	} {
		p, err := parseListing(raw, "")
		require.NoError(t, err)
		assert.NotContains(t, seen, p.identity, raw)
		seen[p.identity] = raw
	}
	first, err := parseListing("distro=a&target=b&limit=3&fields=name", "")
	require.NoError(t, err)
	second, err := parseListing("target=b&distro=a&limit=4", "")
	require.NoError(t, err)
	assert.Equal(t, first.identity, second.identity)
}

// A walk can go on for five minutes from when the catalog changed, and not a second longer; nor can a watch that broke off.
func TestAWalkHasFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := catalogOf(imagetest.Image("a", "one", 1), imagetest.Image("a", "two", 2))
		handler := handlerOf(t, catalog.Index)
		ask := func(query string) *httptest.ResponseRecorder {
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/images?"+query, nil))
			return response
		}
		first := decode[listing](t, ask("limit=1").Body.String())
		walk, watch := "limit=1&continue="+first.Continue, "watch=true&resourceVersion="+first.ResourceVersion

		time.Sleep(time.Hour)
		catalog.UpdateResourceVersion("101") // a bookmark
		assert.Equal(t, http.StatusOK, ask(walk).Code, "while nothing changes, nothing is too old")
		catalog.version = 101
		catalog.delete("a", "one")
		time.Sleep(5 * time.Minute)
		catalog.store(imagetest.Image("a", "three", 3))
		second := decode[listing](t, ask(walk).Body.String())
		require.Len(t, second.Items, 1)
		assert.Equal(t, "one", second.Items[0].Name, "it was there when the walk began")
		assert.Equal(t, 2, second.Total)

		time.Sleep(time.Second)
		catalog.UpdateResourceVersion("104")
		for query, want := range map[string]string{
			walk:  "The parameter continue is too old: the catalog has changed since, and what it was is not kept any more. Leave continue out to begin again.",
			watch: "The resourceVersion is too old: what happened since is not kept any more. List again, and watch from there.",
		} {
			response := ask(query)
			assert.Equal(t, http.StatusGone, response.Code)
			assert.Equal(t, want, decode[Problem](t, response.Body.String()).Detail)
		}
		again := decode[listing](t, ask("limit=1").Body.String())
		assert.Equal(t, http.StatusOK, ask("limit=1&continue="+again.Continue).Code)
	})
}
