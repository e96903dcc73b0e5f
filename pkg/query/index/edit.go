package index

import (
	"slices"
	"strings"
	"unique"

	"github.com/RoaringBitmap/roaring/v2"
)

// edit makes a snapshot from another one. Each set and each chunk is copied at most once, when it is first written.
type edit struct {
	*Snapshot
	sets  map[*roaring.Bitmap]bool
	owned map[uint32]bool // chunks
	stood bool            // the map of standing sets is its own
}

// change begins with a copy of a snapshot.
func (s *Snapshot) change() *edit {
	return &edit{Snapshot: s.copy(), sets: map[*roaring.Bitmap]bool{}, owned: map[uint32]bool{}}
}

// done gives the snapshot, which must not be changed any more.
func (e *edit) done(version uint64) *Snapshot {
	e.Version = version
	return e.Snapshot
}

// replace puts an entry in the place of another, which must be stored; either may be nil.
func (e *edit) replace(before, after *Entry) {
	id := either(after, before).id
	for o := range orders {
		if before != nil && (after == nil || o.compare(before, after) != 0) {
			e.trees[o].Delete(before)
		}
		if after != nil {
			e.trees[o].Set(after)
		}
	}
	e.chunk(id)
	e.entries.set(id, after)
	e.mark(id, facetsIn(before), facetsIn(after))
	e.updateStanding(before, after)
	e.updateLatest(before, after)
}

// either is the first of two that is one.
func either(a, b *Entry) *Entry {
	if a != nil {
		return a
	}
	return b
}

func facetsIn(entry *Entry) []unique.Handle[Facet] {
	if entry == nil {
		return nil
	}
	return entry.facets
}

func (e *edit) chunk(id uint32) {
	if chunk := id / chunkSize; !e.owned[chunk] {
		e.owned[chunk] = true
		e.entries = e.entries.own(id)
	}
}

// mark brings the sets of facets in line with what an entry has no more and has now.
func (e *edit) mark(id uint32, before, after []unique.Handle[Facet]) {
	for _, f := range before {
		if !slices.Contains(after, f) {
			e.unset(f.Value(), id)
		}
	}
	for _, f := range after {
		if !slices.Contains(before, f) {
			e.set(f.Value(), id)
		}
	}
}

func (e *edit) set(f Facet, id uint32) {
	p, found := e.postings.Get(&posting{Facet: f})
	switch {
	case !found:
		p = &posting{f, e.own(roaring.New(), true)}
		e.postings.Set(p)
		e.namespaceCame(f)
	case !e.sets[p.set]:
		p = &posting{f, e.own(p.set, false)}
		e.postings.Set(p)
	}
	p.set.Add(id)
}

func (e *edit) unset(f Facet, id uint32) {
	p, found := e.postings.Get(&posting{Facet: f})
	if !found {
		return
	}
	if p.set.GetCardinality() == 1 {
		e.postings.Delete(p)
		e.namespaceWent(f)
		return
	}
	if !e.sets[p.set] {
		p = &posting{f, e.own(p.set, false)}
		e.postings.Set(p)
	}
	p.set.Remove(id)
}

// own gives a set that may be written: the one given if it is new, else a copy of it.
func (e *edit) own(set *roaring.Bitmap, isNew bool) *roaring.Bitmap {
	if e.sets[set] {
		return set
	}
	if !isNew {
		set = set.Clone()
	}
	e.sets[set] = true
	return set
}

func (e *edit) namespaceCame(f Facet) {
	if f.Kind == Namespace {
		at, _ := slices.BinarySearchFunc(e.spaces, f.Value, strings.Compare)
		e.spaces = slices.Insert(slices.Clone(e.spaces), at, f.Value)
	}
}

func (e *edit) namespaceWent(f Facet) {
	if f.Kind == Namespace {
		e.spaces = slices.DeleteFunc(slices.Clone(e.spaces), func(name string) bool { return name == f.Value })
	}
}
