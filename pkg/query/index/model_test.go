package index

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// model is the catalog as a plain map, which answers by looking at everything.
type model map[string]*Entry

func (m model) page(q *Query) (names []string, total int) {
	var found []*Entry
	for _, e := range m {
		if m.matches(q, e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *Entry) int {
		if q.Descending {
			a, b = b, a
		}
		return q.Order.compare(a, b)
	})
	total = len(found)
	if q.After != nil {
		at := slices.IndexFunc(found, func(e *Entry) bool { return e.Namespace == q.After.Namespace && e.Name == q.After.Name })
		found = found[at+1:]
	}
	return pathsOf(found[:min(len(found), q.Limit)]), total
}

func (m model) matches(q *Query, e *Entry) bool {
	for _, f := range q.Facets {
		if f.Kind == Usable && !e.Usable() || f.Kind != Usable && !slices.Contains(e.Values(f.Kind), f.Value) {
			return false
		}
	}
	for _, p := range q.Predicates {
		if !p.Matches(e) {
			return false
		}
	}
	return (q.Digest == "" || e.Digest == q.Digest) && (q.Reference == "" || e.Reference == q.Reference || pinnedRef(e) == q.Reference) && (!q.Latest || m.isLatest(e))
}

func pinnedRef(e *Entry) string {
	var item Item
	if err := json.Unmarshal(e.Item, &item); err != nil {
		panic(err)
	}
	return item.PinnedRef
}

func (m model) namespaces() []string {
	var names []string
	for _, e := range m {
		names = append(names, e.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isLatest looks for a series in which nobody usable is newer.
func (m model) isLatest(e *Entry) bool {
	if !e.usable {
		return false
	}
	targets := e.Values(Target)
	if len(targets) == 0 {
		targets = []string{""}
	}
	for _, target := range targets {
		newer := false
		for _, other := range m {
			sameSeries := other.Namespace == e.Namespace && other.Value(Series) == e.Value(Series) && other.Value(Channel) == e.Value(Channel)
			sameTarget := slices.Contains(other.Values(Target), target) || (target == "" && len(other.Values(Target)) == 0)
			before := cmp.Or(cmp.Compare(other.Published, e.Published), cmp.Compare(e.Name, other.Name)) > 0
			newer = newer || (other.usable && sameSeries && sameTarget && before)
		}
		if !newer {
			return true
		}
	}
	return false
}

func pathsOf(entries []*Entry) []string {
	paths := []string{}
	for _, e := range entries {
		paths = append(paths, e.Namespace+"/"+e.Name)
	}
	return paths
}

// random makes entries and queries with few values, so that they meet.
type random struct{ *rand.Rand }

func (r random) of(values ...string) string { return values[r.IntN(len(values))] }

func (r random) image() *v1alpha1.CatalogImage {
	i := imagetest.Image(r.of("a", "b", "c"), "e"+fmt.Sprint(r.IntN(40)), r.IntN(10))
	i.Spec.Image = "quay.io/acme/" + r.of("autosd", "centos") + r.of(":1", ":2", ":3", "@sha256:"+strings.Repeat("a", 64))
	i.Spec.Metadata.Architecture = v1alpha1.Facet(r.of("", "arm64", "amd64", "x86_64"))
	i.Spec.Metadata.Distro = v1alpha1.Facet(r.of("", "autosd", "centos"))
	i.Spec.Channel = v1alpha1.Facet(r.of("", "dev", "prod"))
	i.Spec.Series = v1alpha1.Facet(r.of("", "", "minimal"))
	i.Labels = map[string]string{"tier": r.of("edge", "core")}
	i.Status.SizeBytes = int64(r.IntN(4))
	for _, name := range []string{"pi", "qemu"} {
		if r.IntN(2) == 0 {
			i.Spec.Metadata.Targets = append(i.Spec.Metadata.Targets, v1alpha1.Target{Name: v1alpha1.Facet(name)})
			i.Spec.Tags = append(i.Spec.Tags, "for-"+name)
		}
	}
	if r.IntN(3) > 0 {
		imagetest.Checked(r.IntN(5))(i)
		i.Status.Phase = v1alpha1.Phases()[r.IntN(5)]
		i.Status.Digest = "sha256:" + strings.Repeat(r.of("a", "b"), 64)
		i.Status.Image = i.Spec.Image
	}
	if r.IntN(6) == 0 {
		i.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled}
	}
	return i
}

func (r random) query() *Query {
	q := &Query{Limit: 1 + r.IntN(20), Order: Order(r.IntN(int(byDigest))), Descending: r.IntN(2) == 0, Latest: r.IntN(5) == 0}
	for kind, value := range map[Kind]string{
		Namespace: r.of("", "a", "b"), Phase: r.of("", "", "Available"), Architecture: r.of("", "arm64"), Distro: r.of("", "autosd", "none"),
		Target: r.of("", "pi"), Channel: r.of("", "", "prod"), Series: r.of("", "", "minimal"), Tag: r.of("", "for-qemu"),
	} {
		if value != "" && r.IntN(2) == 0 {
			q.Facets = append(q.Facets, Facet{kind, value})
		}
	}
	if r.IntN(5) == 0 {
		q.Facets = append(q.Facets, Facet{Kind: Usable})
	}
	switch r.IntN(8) {
	case 0:
		q.Digest = "sha256:" + strings.Repeat("a", 64)
	case 1:
		q.Reference = "quay.io/acme/autosd" + r.of(":1", "@sha256:"+strings.Repeat("a", 64))
	case 2:
		q.Predicates = append(q.Predicates, Text(r.of("autosd", "E1", "for-pi sha256:a", "nowhere", fmt.Sprint(r.IntN(500)))))
	case 3:
		selector, err := labels.Parse(r.of("tier=edge", "tier!=core", "!tier", "tier in (edge,core)"))
		if err != nil {
			panic(err)
		}
		q.Predicates = append(q.Predicates, Labels(selector))
	}
	return q
}

// Every answer at every version that is kept equals that of the model at that version.
func TestAnswersEqualThoseOfAModel(t *testing.T) {
	for seed := range uint64(3) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		c, now := newCatalog(t), model{}
		past := map[uint64]model{100: {}}
		for range 120 {
			if i := r.image(); r.IntN(3) > 0 {
				c.store(i)
			} else {
				c.delete(i.Namespace, i.Name)
			}
			now = model{}
			for _, e := range c.Latest().entries.all() {
				now[e.Namespace+"/"+e.Name] = e
			}
			past[c.Latest().Version] = now
			compare(t, r, c.Latest(), c.Index, now)
			version := uint64(100 + r.IntN(c.version-99))
			if then, ok := past[version]; ok {
				snapshot, err := c.At(version)
				require.NoError(t, err)
				compare(t, r, snapshot, nil, then)
				namespaces, err := c.NamespacesAt(version)
				require.NoError(t, err)
				require.Equal(t, then.namespaces(), namespaces)
			}
		}
		require.Equal(t, len(now), c.Latest().Len())
	}
}

func compare(t *testing.T, r random, s *Snapshot, index *Index, m model) {
	t.Helper()
	q := r.query()
	if index != nil {
		s = index.Prepare(q)
	}
	for {
		names, total := m.page(q)
		page := s.Page(q)
		require.Equal(t, names, pathsOf(page.Entries), "%+v", q)
		require.Equal(t, total, page.Total, "%+v", q)
		if !page.More {
			return
		}
		q.After = page.Entries[len(page.Entries)-1]
	}
}

func TestThePastIsBounded(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "one", 1))
	clock := imagetest.Epoch
	c.now = func() time.Time { return clock }
	_, err := c.At(99)
	require.ErrorIs(t, err, ErrGone)
	_, err = c.At(101)
	require.ErrorIs(t, err, ErrAhead)
	c.UpdateResourceVersion("101") // a bookmark: nothing happened until then
	same, err := c.At(101)
	require.NoError(t, err)
	assert.Same(t, c.Latest(), same)

	c.version = 101
	c.store(imagetest.Image("a", "two", 2))
	clock = clock.Add(historyAge)
	c.store(imagetest.Image("a", "three", 3))
	then, err := c.At(100)
	require.NoError(t, err)
	assert.Equal(t, 1, then.Len())
	clock = clock.Add(time.Second)
	c.store(imagetest.Image("a", "four", 4))
	_, err = c.At(101)
	require.ErrorIs(t, err, ErrGone, "what is older than %s is forgotten", historyAge)
	then, err = c.At(102)
	require.NoError(t, err)
	assert.Equal(t, 2, then.Len())

	for range 2 * historyBytes / (600 << 10) {
		big := imagetest.Image("a", "one", 1)
		big.Spec.DisplayName = strings.Repeat("x", 200<<10)
		c.store(big)
	}
	assert.LessOrEqual(t, c.history.bytes, historyBytes)
	_, _, _, err = c.Since(102)
	require.ErrorIs(t, err, ErrGone)
	changes, seen, _, err := c.Since(uint64(c.version - 1))
	require.NoError(t, err)
	assert.Len(t, changes, 1)
	assert.EqualValues(t, c.version, seen)
}

func TestStandingSetsAreBounded(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "one", 1))
	for n := range 2 * maxStanding {
		c.Prepare(&Query{Predicates: []Predicate{Text(fmt.Sprint(n)), Text("one")}})
	}
	assert.Len(t, c.Latest().standing, maxStanding)
	assert.Contains(t, c.Latest().standing, Text("one").Key, "it was asked for lately")
}
