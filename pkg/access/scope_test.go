package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScopeAsksForEverythingThenForEach(t *testing.T) {
	server := newAPIServer()
	reviewer := reviewerOf(server, false)
	ann, bob := known(t, reviewer, server, "ann"), known(t, reviewer, server, "bob")
	server.rights["ann list  "], server.rights["bob list b "], server.rights["bob list d "] = true, true, true
	server.questions()

	scope, err := ann.Scope(t.Context(), "list", []string{"a", "b", "c"})
	require.NoError(t, err)
	assert.Equal(t, Everywhere, scope)
	assert.True(t, scope.Has("elsewhere"))
	assert.Equal(t, []string{"ann list  "}, server.questions())

	scope, err = bob.Scope(t.Context(), "list", []string{"a", "b", "c"})
	require.NoError(t, err)
	assert.Equal(t, ScopeOf("b"), scope)
	assert.True(t, scope.Has("b"))
	assert.False(t, scope.Has("a"))
	asked := server.questions()
	assert.Equal(t, "bob list  ", asked[0])
	assert.ElementsMatch(t, []string{"bob list  ", "bob list a ", "bob list b ", "bob list c "}, asked)

	scope, err = bob.Scope(t.Context(), "list", []string{"a", "b", "d"})
	require.NoError(t, err)
	assert.Equal(t, []string{"b", "d"}, scope.Namespaces)
	assert.Equal(t, []string{"bob list d "}, server.questions(), "who is new is asked about, and nobody else")
}

func TestScopesHaveOneKeyForOneSet(t *testing.T) {
	keys := map[string]bool{}
	for _, scope := range []*Scope{Everywhere, ScopeOf(), ScopeOf("a"), ScopeOf("a", "b"), ScopeOf("ab")} {
		keys[scope.Key] = true
	}
	assert.Len(t, keys, 5)
	assert.Equal(t, ScopeOf("a", "b").Key, ScopeOf("a", "b").Key)
}

// A scope ends with the oldest answer in it, whatever was added since.
func TestARevokedRightIsGoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		reviewer := reviewerOf(server, false)
		ann := known(t, reviewer, server, "ann")
		server.rights["ann list a "], server.rights["ann list b "] = true, true
		_, err := ann.May(t.Context(), "list", "a", "") // knows already that ann may not list everywhere
		require.NoError(t, err)
		time.Sleep(TTL / 2)
		scope, err := ann.Scope(t.Context(), "list", []string{"a"})
		require.NoError(t, err)
		assert.Equal(t, []string{"a"}, scope.Namespaces)
		server.change(func() { server.rights["ann list a "] = false })
		time.Sleep(TTL / 4)
		scope, err = ann.Scope(t.Context(), "list", []string{"a", "b"})
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b"}, scope.Namespaces)
		time.Sleep(TTL/4 + time.Millisecond)
		scope, err = ann.Scope(t.Context(), "list", []string{"a", "b"})
		require.NoError(t, err)
		assert.Equal(t, []string{"b"}, scope.Namespaces)
	})
}

func TestScopeFailsAsAWhole(t *testing.T) {
	server := newAPIServer()
	ann := known(t, reviewerOf(server, false), server, "ann")
	_, err := ann.Scope(t.Context(), "list", nil)
	require.NoError(t, err)
	server.down = true
	_, err = ann.Scope(t.Context(), "list", []string{"a"})
	require.ErrorIs(t, err, errDown, "part of a listing would pass for all of it")
}

// Callers with rights of any pattern are told apart and judged as the API server judges, at the first and at any time.
func TestScopeIsWhatTheAPIServerSays(t *testing.T) {
	server := newAPIServer()
	reviewer := reviewerOf(server, false)
	var all []string
	for n := range 10 {
		all = append(all, fmt.Sprintf("ns-%d", n))
	}
	for user := range 40 {
		name := fmt.Sprintf("user-%d", user)
		caller := known(t, reviewer, server, name)
		var want []string
		for n, namespace := range all {
			if (user*7+n*n)%3 == 0 {
				server.rights[strings.Join([]string{name, "list", namespace, ""}, " ")] = true
				want = append(want, namespace)
			}
		}
		for _, asked := range [][]string{all[:5], all, all[3:], all} {
			scope, err := caller.Scope(t.Context(), "list", asked)
			require.NoError(t, err)
			assert.Equal(t, slices.DeleteFunc(slices.Clone(want), func(s string) bool { return !slices.Contains(asked, s) }), scope.Namespaces)
		}
	}
}

// What a request costs a caller who is known: go test -bench . ./pkg/access
func BenchmarkKnownCaller(b *testing.B) {
	server := newAPIServer()
	reviewer := reviewerOf(server, false)
	token := strings.Repeat("t", 1000)
	known(b, reviewer, server, "ann")
	server.users[token] = server.users["ann-token"]
	var namespaces []string
	for n := range 1000 {
		namespaces = append(namespaces, fmt.Sprintf("ns-%03d", n))
		server.rights[fmt.Sprintf("ann list ns-%03d ", n)] = n%2 == 0
	}
	b.Run("list", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			caller, err := reviewer.Authenticate(b.Context(), token)
			if err != nil {
				b.Fatal(err)
			}
			if scope, err := caller.Scope(b.Context(), "list", namespaces); err != nil || len(scope.Namespaces) != 500 {
				b.Fatal(scope, err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			caller, err := reviewer.Authenticate(b.Context(), token)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := caller.May(b.Context(), "get", "ns-000", "one"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
