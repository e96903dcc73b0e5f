package query

import (
	"encoding/base64"
	"strings"
	"testing"

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
