package query

import (
	"iter"
	"slices"

	"github.com/tidwall/btree"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// snapshot is the catalog at one moment. Any number of goroutines may read it while nobody writes it.
type snapshot struct {
	newest *btree.BTreeG[*entry]      // in the order of the listing
	byName *btree.Map[string, *entry] // by pathOf(namespace, name)
}

func newSnapshot() *snapshot {
	return &snapshot{
		newest: btree.NewBTreeGOptions(func(a, b *entry) bool { return a.before(b.key) }, btree.Options{NoLocks: true}),
		byName: &btree.Map[string, *entry]{},
	}
}

// copy costs the same for any number of entries: the trees share their nodes until one of them is written.
func (s *snapshot) copy() *snapshot {
	return &snapshot{newest: s.newest.Copy(), byName: s.byName.Copy()}
}

func (s *snapshot) put(e *entry) {
	if previous, ok := s.byName.Set(pathOf(e.namespace, e.name), e); ok && previous.key != e.key {
		s.newest.Delete(previous) // the name was deleted and made again
	}
	s.newest.Set(e)
}

func (s *snapshot) remove(namespace, name string) {
	if e, ok := s.byName.Delete(pathOf(namespace, name)); ok {
		s.newest.Delete(e)
	}
}

func (s *snapshot) get(namespace, name string) (*entry, bool) {
	return s.byName.Get(pathOf(namespace, name))
}

// page gives up to limit entries that match and come after a place in the listing, the number of all that match
// wherever they are, and whether more come after the page.
func (s *snapshot) page(q *query) (entries []*entry, total int, more bool) {
	for e := range s.after(q.after) {
		if !q.matches(e) {
			continue
		}
		if len(entries) == q.limit {
			more = true
			break
		}
		entries = append(entries, e)
	}
	return entries, s.count(&q.filter), more
}

// count of a filter that lets everything pass is known; that of another takes a walk over the keys.
func (s *snapshot) count(f *filter) int {
	if *f == (filter{}) {
		return s.newest.Len()
	}
	count := 0
	s.newest.Scan(func(e *entry) bool {
		if f.matches(e) {
			count++
		}
		return true
	})
	return count
}

// after gives the entries that follow a place in the listing, or all of them without one. The place need not be
// that of an entry: the one that was there may be gone.
func (s *snapshot) after(place *key) iter.Seq[*entry] {
	if place == nil {
		return s.newest.Scan
	}
	return func(yield func(*entry) bool) {
		s.newest.Ascend(&entry{key: *place}, func(e *entry) bool {
			return e.key == *place || yield(e)
		})
	}
}

// phases counts the entries by phase.
func (s *snapshot) phases() map[v1alpha1.Phase]int64 {
	counts := map[v1alpha1.Phase]int64{}
	s.newest.Scan(func(e *entry) bool {
		counts[e.phase]++
		return true
	})
	return counts
}

// filter is what an entry must have to be listed. An empty field asks for nothing.
type filter struct {
	namespace    string
	architecture string // in OCI's name
	distro       string
	target       string
	channel      string
	tag          string
	phase        v1alpha1.Phase
}

func (f *filter) matches(e *entry) bool {
	return (f.namespace == "" || f.namespace == e.namespace) &&
		(f.phase == "" || f.phase == e.phase) &&
		(f.distro == "" || f.distro == e.distro) &&
		(f.channel == "" || f.channel == e.channel) &&
		(f.architecture == "" || slices.Contains(e.architectures, f.architecture)) &&
		(f.target == "" || slices.Contains(e.targets, f.target)) &&
		(f.tag == "" || slices.Contains(e.tags, f.tag))
}

// pathOf is unique because neither part may hold a slash.
func pathOf(namespace, name string) string { return namespace + "/" + name }
