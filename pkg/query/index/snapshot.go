package index

import (
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/tidwall/btree"
)

// Snapshot is the catalog at one version. It never changes; any number of goroutines may read it.
type Snapshot struct {
	// Version is the resource version of the latest change in it.
	Version uint64

	trees    [orders]*btree.BTreeG[*Entry]
	postings *btree.BTreeG[*posting]
	series   *btree.BTreeG[member]
	latest   *roaring.Bitmap // who is the latest of one of its series
	standing map[string]*standing
	entries  table
	spaces   []string // the namespaces that hold entries, in order
}

func newSnapshot() *Snapshot {
	s := &Snapshot{
		postings: btree.NewBTreeGOptions((*posting).before, btree.Options{NoLocks: true}),
		series:   btree.NewBTreeGOptions(member.before, btree.Options{NoLocks: true}),
		latest:   roaring.New(),
		standing: map[string]*standing{},
	}
	for o := range orders {
		s.trees[o] = btree.NewBTreeGOptions(o.before, btree.Options{NoLocks: true})
	}
	return s
}

// copy costs the same for any number of entries. What it shares with the original must be copied before it is written;
// the trees do so by themselves.
func (s *Snapshot) copy() *Snapshot {
	next := *s
	for o, tree := range s.trees {
		next.trees[o] = tree.Copy()
	}
	next.postings, next.series = s.postings.Copy(), s.series.Copy()
	next.entries = s.entries.copy()
	return &next
}

// Len is the number of entries.
func (s *Snapshot) Len() int { return s.trees[ByPublished].Len() }

// Get gives the entry of a name, or nil.
func (s *Snapshot) Get(namespace, name string) *Entry {
	e, _ := s.trees[ByName].Get(&Entry{Namespace: namespace, Name: name})
	return e
}

// Namespaces are those that hold entries, in order. As long as they stay the same, so does the slice, which is not to be
// written.
func (s *Snapshot) Namespaces() []string { return s.spaces }

// Count is a number of entries with a value of a facet.
type Count struct {
	Value string
	Count int
}

// Counts tells how many of the entries that match have each value of a facet: those that at least one has, the most
// frequent first.
func (s *Snapshot) Counts(kind Kind, q *Query) []Count {
	matching := s.match(q)
	var counts []Count
	s.postings.Ascend(&posting{Facet: Facet{Kind: kind}}, func(p *posting) bool {
		if p.Kind != kind {
			return false
		}
		if n := matching.countWith(p.set); n > 0 {
			counts = append(counts, Count{p.Value, n})
		}
		return true
	})
	slices.SortStableFunc(counts, func(a, b Count) int { return b.Count - a.Count })
	return counts
}

// Total is how many entries match.
func (s *Snapshot) Total(q *Query) int { return s.match(q).count(s.Len()) }

// with is the set of the entries that have a facet, or nil for none.
func (s *Snapshot) with(f Facet) *roaring.Bitmap {
	if p, ok := s.postings.Get(&posting{Facet: f}); ok {
		return p.set
	}
	return nil
}

// equal is the set of the entries that compare as equal to a pivot by what is in an order besides the name.
func (s *Snapshot) equal(o Order, pivot *Entry, same func(*Entry) bool) *roaring.Bitmap {
	set := roaring.New()
	s.trees[o].Ascend(pivot, func(e *Entry) bool {
		if !same(e) {
			return false
		}
		set.Add(e.id)
		return true
	})
	return set
}

// referredTo is the set of the entries that a reference is of.
func (s *Snapshot) referredTo(reference string) *roaring.Bitmap {
	set := s.equal(byReference, &Entry{Reference: reference}, func(e *Entry) bool { return e.Reference == reference })
	if _, digest, pinned := strings.Cut(reference, "@"); pinned {
		s.trees[byDigest].Ascend(&Entry{Digest: digest}, func(e *Entry) bool {
			if e.Digest == digest && e.is(reference) {
				set.Add(e.id)
			}
			return e.Digest == digest
		})
	}
	return set
}
