package query

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// A watch of everything by somebody who may watch the namespaces a, b and d, of which a and b hold entries.
func TestAWatchIsJudgedAgain(t *testing.T) {
	for title, test := range map[string]struct {
		change func(r rights, c *catalog)
		status int // 0: it goes on
		shows  string
	}{
		"nothing":              {func(rights, *catalog) {}, 0, "ab"},
		"a right is revoked":   {func(r rights, _ *catalog) { delete(r, "ann watch a ") }, http.StatusGone, ""},
		"a right is granted":   {func(r rights, _ *catalog) { r["ann watch c "] = true }, http.StatusGone, ""},
		"all rights":           {func(r rights, _ *catalog) { r["ann watch  "] = true }, http.StatusGone, ""},
		"a right for later":    {func(r rights, _ *catalog) { r["ann watch e "] = true }, 0, "ab"},
		"a first entry":        {func(_ rights, c *catalog) { c.store(imagetest.Image("d", "new", 1)) }, 0, "abd"},
		"another's":            {func(_ rights, c *catalog) { c.store(imagetest.Image("e", "new", 1)) }, 0, "ab"},
		"the last entry goes":  {func(_ rights, c *catalog) { c.delete("a", "one") }, 0, "ab"},
		"the token is no more": {func(r rights, _ *catalog) { r["expired ann"] = true }, http.StatusUnauthorized, ""},
	} {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				granted := rights{"ann watch a ": true, "ann watch b ": true, "ann watch d ": true}
				catalog := catalogOf(imagetest.Image("a", "one", 1), imagetest.Image("b", "two", 2), imagetest.Image("c", "three", 3))
				who := &visitor{reviewer: granted.reviewer(false), token: "ann"}
				require.NoError(t, who.identify(t.Context()))
				watch := newView(catalog.Index, who, verbWatch, &parameters{})
				require.NoError(t, watch.restrict(t.Context(), &parameters{}))

				test.change(granted, catalog)
				time.Sleep(access.TTL + time.Millisecond)
				err := watch.renew(t.Context())
				if test.status != 0 {
					assert.Equal(t, test.status, problemOf(err).Status)
					return
				}
				require.NoError(t, err)
				shows := ""
				for _, namespace := range []string{"a", "b", "c", "d", "e"} {
					if watch.has(namespace) {
						shows += namespace
					}
				}
				assert.Equal(t, test.shows, shows)
			})
		})
	}
}

func TestAWatchNeedsTheRightToWatch(t *testing.T) {
	base := serverFor(t, indexOf(imagetest.Image("a", "one", 1), imagetest.Image("b", "two", 2)),
		rights{"ann watch b ": true, "ann list a ": true}.reviewer(false))
	watch := watchAs(t, "ann", base+"/v1/images?watch=true")
	assert.Equal(t, [3]string{"ADDED", "", "two"}, watch.next())
	assert.Equal(t, [3]string{"BOOKMARK", "100", ""}, watch.next())
	watch = watchAs(t, "ann", base+"/v1/images?watch=true&namespace=a")
	assert.Equal(t, [3]string{"BOOKMARK", "100", ""}, watch.next())
	assert.Equal(t, http.StatusForbidden, as(t, "ann", base+"/v1/namespaces/a/images?watch=true").status)
}

// A namespace that lost its entries since the first page of a walk is judged like the others.
func TestAWalkShowsWhatIsGoneSince(t *testing.T) {
	catalog := catalogOf(imagetest.Image("a", "one", 1), imagetest.Image("b", "two", 2), imagetest.Image("c", "three", 3), imagetest.Image("d", "four", 4))
	base := serverFor(t, catalog.Index, rights{"ann list a ": true, "ann list b ": true, "ann list d ": true}.reviewer(false))
	first := decode[listing](t, as(t, "ann", base+"/v1/images?limit=1").body)
	assert.Equal(t, 3, first.Total)
	catalog.delete("b", "two")
	catalog.delete("c", "three")
	rest := decode[listing](t, as(t, "ann", base+"/v1/images?continue="+first.Continue).body)
	assert.Equal(t, 3, rest.Total)
	assert.Len(t, rest.Items, 2)
}

func TestFacetsAndResolveSpeakOfWhatTheCallerMayList(t *testing.T) {
	base := serverFor(t, indexOf(imagetest.Image("a", "one", 1), imagetest.Image("b", "two", 2)), rights{"ann list a ": true}.reviewer(false))
	facets := decode[struct {
		Facets map[string]facet
		Total  int
	}](t, as(t, "ann", base+"/v1/facets").body)
	assert.Equal(t, 1, facets.Total)
	assert.Equal(t, []facetValue{{Value: "a", Count: 1}}, facets.Facets["namespace"].Values)
	problem := decode[Problem](t, as(t, "ann", base+"/v1/resolve").body)
	require.Len(t, problem.RunnersUp, 1)
	assert.Equal(t, "a", problem.RunnersUp[0].Namespace)
	for _, path := range []string{"/v1/facets", "/v1/resolve"} {
		assert.Equal(t, http.StatusUnauthorized, request(t, http.MethodGet, base+path, nil).status)
	}
}

// Undoing what happened since is work for which a caller may have to wait; what is remembered is not.
func TestPagesOfThePastWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := catalogOf(imagetest.Image("a", "one", 1))
		catalog.store(imagetest.Image("a", "two", 2))
		who := &visitor{reviewer: everybody(), gates: newGates()}
		require.NoError(t, who.identify(t.Context()))
		walk := newView(catalog.Index, who, verbList, &parameters{})
		require.NoError(t, who.gates.scanning.Acquire(t.Context(), int64(runtime.GOMAXPROCS(0))))
		_, err := walk.at(t.Context(), 100)
		require.Error(t, err)
		assert.Equal(t, http.StatusTooManyRequests, problemOf(err).Status)
		_, err = walk.at(t.Context(), 101)
		require.NoError(t, err)

		who.gates.scanning.Release(1)
		then, err := walk.at(t.Context(), 100)
		require.NoError(t, err)
		assert.Equal(t, 1, then.Len())
		require.NoError(t, who.gates.scanning.Acquire(t.Context(), 1))
		again, err := walk.at(t.Context(), 100)
		require.NoError(t, err)
		assert.Same(t, then, again)
	})
}

// What restricting costs a request of a caller who is known: go test -bench View ./pkg/query
func BenchmarkView(b *testing.B) {
	granted := rights{}
	catalog := catalogOf()
	for n := range 1000 {
		catalog.store(imagetest.Image(fmt.Sprintf("ns-%03d", n), "one", n))
		granted[fmt.Sprintf("ann list ns-%03d ", n)] = n%2 == 0
	}
	who := &visitor{reviewer: granted.reviewer(false), token: "ann"}
	for b.Loop() {
		p := &parameters{Query: index.Query{Limit: 20}}
		if err := who.identify(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := newView(catalog.Index, who, verbList, p).restrict(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}
