package index

import (
	"cmp"
	"slices"
	"sort"
	"unique"

	"github.com/RoaringBitmap/roaring/v2"
)

// Query says which entries to list, in which order, and how many.
type Query struct {
	Facets []Facet // an entry must have all of them
	// Digest and Reference, where they are not empty, are those of the entry. A reference is in its canonical form; one by digest
	// is also that of an entry which declares a tag, and was found to have the digest.
	Digest, Reference string
	Predicates        []Predicate
	Latest            bool // only the newest available entry of each series, channel and target of a namespace

	Order      Order
	Descending bool
	After      *Entry // a place in the order, where no entry need be; nil: from the beginning
	Limit      int
}

// Page is a part of what matches a query.
type Page struct {
	Entries []*Entry
	Total   int  // all that match, wherever they are
	More    bool // after the page
}

// Page gives the entries that match and come after a place in the order.
func (s *Snapshot) Page(q *Query) Page {
	matching := s.match(q)
	page := Page{Total: matching.count(s.Len())}
	if matching.fewer(q.Limit, s.Len(), page.Total) {
		page.Entries = s.sorted(q, matching)
	} else {
		page.Entries = s.walk(q, matching)
	}
	if len(page.Entries) > q.Limit {
		page.Entries, page.More = page.Entries[:q.Limit], true
	}
	return page
}

// Walk gives the entries that match one after the other, in the order of the query, until it is told to stop.
func (s *Snapshot) Walk(q *Query, yield func(*Entry) bool) {
	matching := s.match(q)
	s.each(q, func(e *Entry) bool { return !matching.has(e.id) || yield(e) })
}

// matching is a conjunction of sets: what is in all of them. Without any it is everything.
type matching []*roaring.Bitmap

// match intersects all sets but two, which are cheaper to ask than to intersect.
func (s *Snapshot) match(q *Query) matching {
	var sets matching
	for _, f := range q.Facets {
		sets = append(sets, s.with(f))
	}
	if q.Digest != "" {
		sets = append(sets, s.equal(byDigest, &Entry{Digest: q.Digest}, func(e *Entry) bool { return e.Digest == q.Digest }))
	}
	if q.Reference != "" {
		sets = append(sets, s.referredTo(q.Reference))
	}
	for _, p := range q.Predicates {
		sets = append(sets, s.matching(p))
	}
	if q.Latest {
		sets = append(sets, s.latest)
	}
	if slices.Contains(sets, nil) {
		return matching{roaring.New()}
	}
	if len(sets) > 2 {
		slices.SortFunc(sets, func(a, b *roaring.Bitmap) int { return cmp.Compare(a.GetCardinality(), b.GetCardinality()) })
		last := len(sets) - 1
		return matching{roaring.FastAnd(sets[:last]...), sets[last]}
	}
	return sets
}

func (m matching) has(id uint32) bool {
	for _, set := range m {
		if !set.Contains(id) {
			return false
		}
	}
	return true
}

func (m matching) count(all int) int {
	switch len(m) {
	case 0:
		return all
	case 1:
		return number(m[0].GetCardinality())
	}
	return number(m[0].AndCardinality(m[1]))
}

// number of entries: places in sets are numbers of 32 bits.
func number(n uint64) int { return int(n) } //nolint:gosec // see above

// countWith is how many are in one more set too.
func (m matching) countWith(set *roaring.Bitmap) int {
	switch len(m) {
	case 0:
		return number(set.GetCardinality())
	case 1:
		return number(m[0].AndCardinality(set))
	}
	return number(roaring.And(m[0], m[1]).AndCardinality(set))
}

// fewer says whether looking at all that match costs less than walking in order until a page is full, if they are spread
// evenly: then the walk meets one in every all/total entries. A step of the walk costs a quarter of what it costs to find
// an entry out of order and to compare it.
func (m matching) fewer(limit, all, total int) bool {
	return len(m) > 0 && 4*total*total < limit*all
}

// walk goes along the order.
func (s *Snapshot) walk(q *Query, m matching) []*Entry {
	entries := make([]*Entry, 0, q.Limit+1)
	s.each(q, func(e *Entry) bool {
		if m.has(e.id) {
			entries = append(entries, e)
		}
		return len(entries) <= q.Limit
	})
	return entries
}

// each gives all entries after a place in the order of a query.
func (s *Snapshot) each(q *Query, yield func(*Entry) bool) {
	tree := s.trees[q.Order]
	after := func(e *Entry) bool { return q.Order.compare(e, q.After) == 0 || yield(e) }
	switch {
	case q.After == nil && q.Descending:
		tree.Reverse(yield)
	case q.After == nil:
		tree.Scan(yield)
	case q.Descending:
		tree.Descend(q.After, after)
	default:
		tree.Ascend(q.After, after)
	}
}

// sorted looks at all that match, and keeps the first of them in order, one more than the page has.
func (s *Snapshot) sorted(q *Query, m matching) []*Entry {
	first := make([]*Entry, 0, q.Limit+2)
	set := m[0]
	if len(m) > 1 {
		set = roaring.And(m[0], m[1])
	}
	set.Iterate(func(id uint32) bool {
		e := s.entries.at(id)
		if q.After != nil && !q.before(q.After, e) {
			return true
		}
		if len(first) > q.Limit && !q.before(e, first[q.Limit]) {
			return true
		}
		at := sort.Search(len(first), func(n int) bool { return q.before(e, first[n]) })
		first = slices.Insert(first, at, e)
		first = first[:min(len(first), q.Limit+1)]
		return true
	})
	return first
}

func (q *Query) before(a, b *Entry) bool {
	if q.Descending {
		a, b = b, a
	}
	return q.Order.before(a, b)
}

// Matches says whether an entry matches by itself. Whether it is the latest of its series depends on others, and is not
// asked.
func (q *Query) Matches(e *Entry) bool {
	for _, f := range q.Facets {
		if !slices.Contains(e.facets, unique.Make(f)) {
			return false
		}
	}
	for _, p := range q.Predicates {
		if !p.Matches(e) {
			return false
		}
	}
	return (q.Digest == "" || q.Digest == e.Digest) && (q.Reference == "" || e.is(q.Reference))
}
