package index

import (
	"maps"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxStanding bounds the sets that are kept up to date for predicates that were asked for lately.
const maxStanding = 256

// Predicate is a condition that no facet stands for: that an entry has a text, or labels, or is in one of some
// namespaces. Predicates of the same key are the same. The set of what matches is made when it is first asked for, by
// looking at every entry, and from then on kept up to date like that of a facet; those asked for least lately are
// forgotten.
type Predicate struct {
	Key     string
	Matches func(*Entry) bool
}

// standing is the set of what matches a predicate.
type standing struct {
	Predicate
	set  *roaring.Bitmap
	used *atomic.Int64 // shared by the sets of all versions: when it was last asked for
}

// scan makes the set of what matches.
func (s *Snapshot) scan(p Predicate) *roaring.Bitmap {
	set := roaring.New()
	for id, e := range s.entries.all() {
		if p.Matches(e) {
			set.Add(id)
		}
	}
	return set
}

// matching is the set of what matches, kept or made for this once.
func (s *Snapshot) matching(p Predicate) *roaring.Bitmap {
	if kept, ok := s.standing[p.Key]; ok {
		return kept.set
	}
	return s.scan(p)
}

// update brings the set in line with an entry that came, changed or went. The set must be the writer's own.
func (s *standing) update(before, after *Entry) {
	if after != nil && s.Matches(after) {
		s.set.Add(after.id)
	} else {
		s.set.Remove(either(after, before).id)
	}
}

// updateStanding brings the sets in line with an entry that came, changed or went.
func (e *edit) updateStanding(before, after *Entry) {
	for key, s := range e.standing {
		was, is := before != nil && s.Matches(before), after != nil && s.Matches(after)
		if was != is {
			e.ownStanding(key).update(before, after)
		}
	}
}

func (e *edit) ownStanding(key string) *standing {
	if !e.stood {
		e.standing, e.stood = maps.Clone(e.standing), true
	}
	kept := e.standing[key]
	if !e.sets[kept.set] {
		own := *kept
		own.set = e.own(kept.set, false)
		e.standing[key], kept = &own, &own
	}
	return kept
}

// stand keeps a set from now on, and forgets the one asked for least lately if there are too many.
func (e *edit) stand(s *standing) {
	if !e.stood {
		e.standing, e.stood = maps.Clone(e.standing), true
	}
	if len(e.standing) >= maxStanding {
		oldest := s
		for _, other := range e.standing {
			if oldest == s || other.used.Load() < oldest.used.Load() {
				oldest = other
			}
		}
		delete(e.standing, oldest.Key)
	}
	e.standing[s.Key] = s
}
