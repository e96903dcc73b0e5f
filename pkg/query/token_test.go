package query

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATokenComesBackAsThePlaceItNames(t *testing.T) {
	f := filter{distro: "autosd"}
	place := key{published: 1772366400, namespace: "team-a", name: "autosd-1"}
	got, err := parseToken(newToken(&f, place).String(), &f)
	require.NoError(t, err)
	assert.Equal(t, &place, got)
}

func TestForeignTokensAreRefused(t *testing.T) {
	f := filter{distro: "autosd"}
	good := newToken(&f, key{published: 1, namespace: "a", name: "b"})
	raw := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
	written := string(encode(good))
	for name, text := range map[string]string{
		"empty":               "",
		"not base64":          "*",
		"padded":              good.String() + "=",
		"with a line break":   good.String()[:4] + "\n" + good.String()[4:],
		"not JSON":            raw("hello"),
		"cut short":           good.String()[:len(good.String())-4],
		"with a space":        raw(" " + written),
		"with something else": raw(strings.Replace(written, "{", `{"x":1,`, 1)),
		"with a field twice":  raw(strings.Replace(written, "{", `{"t":2,`, 1)),
		"with another after":  raw(written + written),
		"too long":            newToken(&f, key{name: strings.Repeat("x", maxToken)}).String(),
		"of another query":    newToken(&filter{distro: "centos-stream"}, key{published: 1, namespace: "a", name: "b"}).String(),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseToken(text, &f)
			var problem *Problem
			require.ErrorAs(t, err, &problem)
			assert.Equal(t, "continue", problem.Parameter)
			assert.Equal(t, 400, problem.Status)
		})
	}
}

func TestFiltersHaveHashesOfTheirOwn(t *testing.T) {
	seen := map[uint64]filter{}
	for _, f := range []filter{
		{}, {namespace: "a"}, {architecture: "a"}, {distro: "a"}, {target: "a"}, {channel: "a"}, {tag: "a"}, {phase: "a"},
		{distro: "a", target: "b"}, {distro: "ab"}, {tag: `a" "b`}, {tag: "a", phase: "b"},
	} {
		assert.NotContains(t, seen, f.hash(), "%+v", f)
		seen[f.hash()] = f
	}
}
