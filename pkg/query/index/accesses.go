package index

import "k8s.io/apimachinery/pkg/types"

// Access counts that somebody was given the entry. It goes on with what replaces the entry, and ends with it: one of the
// same name that is made anew begins at zero.
func (e *Entry) Access() { e.accesses.Add(1) }

// Accesses are the counts of the entries that were accessed.
func (s *Snapshot) Accesses() map[types.UID]int64 {
	counts := map[types.UID]int64{}
	s.trees[ByName].Scan(func(e *Entry) bool {
		if n := e.accesses.Load(); n > 0 {
			counts[e.uid] = n
		}
		return true
	})
	return counts
}
