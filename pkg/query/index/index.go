package index

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// maxPast bounds the snapshots of earlier versions that are kept, each for a walk that is under way.
const maxPast = 64

// Index holds every entry of the catalog. It is the store of a reflector, which has no cache besides: the objects
// themselves are not kept.
type Index struct {
	latest atomic.Pointer[Snapshot] // for readers
	filled atomic.Bool
	now    func() time.Time

	writing sync.Mutex // guards what follows
	ids     ids
	history history
	changed chan struct{}                        // closed at the next change
	first   chan gap                             // what settle is to look at
	past    *lru.Cache[uint64, func() *Snapshot] // each makes one when it is first called
}

var (
	_ cache.TransformingStore      = (*Index)(nil)
	_ cache.ResourceVersionUpdater = (*Index)(nil)
)

// New gives an index that is to be filled by a reflector.
func New() *Index {
	past, err := lru.New[uint64, func() *Snapshot](maxPast)
	if err != nil {
		panic(err) // only for a size that is none
	}
	i := &Index{now: time.Now, changed: make(chan struct{}), first: make(chan gap, 1), past: past}
	i.latest.Store(newSnapshot())
	return i
}

// Run follows the CatalogImages that a ListerWatcher gives until the context ends. It tries again what fails.
func (i *Index) Run(ctx context.Context, from cache.ListerWatcher) {
	go i.settle(ctx, cache.ToListerWatcherWithContext(from))
	cache.NewReflectorWithOptions(from, &v1alpha1.CatalogImage{}, i, cache.ReflectorOptions{Name: "index"}).RunWithContext(ctx)
}

// Synced says whether the index holds the whole catalog. Before that it holds nothing.
func (i *Index) Synced() bool { return i.filled.Load() }

// Latest is the catalog as it is.
func (i *Index) Latest() *Snapshot { return i.latest.Load() }

// Transformer implements cache.TransformingStore: a list is kept as entries while it arrives.
func (i *Index) Transformer() cache.TransformFunc {
	return func(object any) (any, error) { return entryOf(object) }
}

func entryOf(object any) (*Entry, error) {
	switch o := object.(type) {
	case *Entry:
		return o, nil
	case *v1alpha1.CatalogImage:
		return newEntry(o)
	}
	return nil, fmt.Errorf("indexing a %T, which is no entry of the catalog", object)
}

// Add implements cache.ReflectorStore.
func (i *Index) Add(object any) error { return i.put(object) }

// Update implements cache.ReflectorStore.
func (i *Index) Update(object any) error { return i.put(object) }

// Delete implements cache.ReflectorStore. The object's version is that of the deletion.
func (i *Index) Delete(object any) error {
	gone, err := entryOf(object)
	if err != nil {
		return err
	}
	i.writing.Lock()
	defer i.writing.Unlock()
	if before := i.Latest().Get(gone.Namespace, gone.Name); before != nil {
		i.apply(gone.version, before, nil)
	}
	return nil
}

func (i *Index) put(object any) error {
	after, err := entryOf(object)
	if err != nil {
		return err
	}
	i.writing.Lock()
	defer i.writing.Unlock()
	before := i.Latest().Get(after.Namespace, after.Name)
	if before == nil || before.version != after.version { // a watch that begins anew may tell the same once more
		i.apply(after.version, before, after)
	}
	return nil
}

// apply makes and publishes the next version.
func (i *Index) apply(version uint64, before, after *Entry) {
	next := i.Latest().change()
	i.replace(next, before, after)
	i.history.add(Change{Version: version, Before: before, After: after, spaces: i.Latest().Namespaces(), at: i.now()})
	i.publish(next.done(version))
}

func (i *Index) replace(in *edit, before, after *Entry) {
	switch {
	case after == nil:
		defer i.ids.giveBack(before.id)
	case before == nil:
		after.id = i.ids.take()
	default:
		after.id = before.id
		if after.uid == before.uid {
			after.accesses = before.accesses
		}
	}
	in.replace(before, after)
}

func (i *Index) publish(next *Snapshot) {
	i.latest.Store(next)
	close(i.changed)
	i.changed = make(chan struct{})
}

// Replace implements cache.ReflectorStore: the list is the whole catalog at a version. How it came to that since the version
// before is not known; walks and watches of before go on.
func (i *Index) Replace(list []any, resourceVersion string) error {
	version, err := parseVersion(resourceVersion)
	if err != nil {
		return err
	}
	entries := make([]*Entry, len(list))
	for n, object := range list {
		if entries[n], err = entryOf(object); err != nil {
			return err
		}
	}
	i.writing.Lock()
	defer i.writing.Unlock()
	next := i.Latest().change()
	changes := i.difference(next.Snapshot, entries, version)
	for n, c := range changes {
		changes[n].spaces = next.Namespaces()
		i.replace(next, c.Before, c.After)
	}
	if i.filled.Load() && version >= i.history.seen {
		i.history.leap(version, changes)
		if len(changes) == 0 {
			version = i.Latest().Version // it is the same for other replicas, too
		}
	} else {
		i.history.restart(version)
		i.past.Purge()
		i.unsettle(gap{newestOf(entries), version})
	}
	i.publish(next.done(version))
	i.filled.Store(true)
	return nil
}

// difference is what makes of a snapshot a catalog of these entries.
func (i *Index) difference(from *Snapshot, to []*Entry, version uint64) (changes []Change) {
	type path struct{ namespace, name string }
	stay := make(map[path]bool, len(to))
	for _, e := range to {
		stay[path{e.Namespace, e.Name}] = true
	}
	for _, e := range from.trees[ByName].Items() {
		if !stay[path{e.Namespace, e.Name}] {
			changes = append(changes, Change{Version: version, Before: e, at: i.now()})
		}
	}
	for _, after := range to {
		if before := from.Get(after.Namespace, after.Name); before == nil || before.version != after.version {
			changes = append(changes, Change{Version: version, Before: before, After: after, at: i.now()})
		}
	}
	return changes
}

// UpdateResourceVersion implements cache.ResourceVersionUpdater: so far everything was told.
func (i *Index) UpdateResourceVersion(resourceVersion string) {
	version, err := parseVersion(resourceVersion)
	if err != nil {
		return // the object's own version has been refused with an error before
	}
	i.writing.Lock()
	defer i.writing.Unlock()
	i.history.seen = max(i.history.seen, version)
	i.history.forget(i.now())
}

// Resync implements cache.ReflectorStore.
func (*Index) Resync() error { return nil }

// At gives the catalog as it was at a version. The errors are ErrGone and ErrAhead.
func (i *Index) At(version uint64) (*Snapshot, error) {
	then, err := i.at(version)
	if err != nil {
		return nil, err
	}
	return then(), nil
}

// at gives what makes the snapshot of a version: changes need not wait until all that happened since is undone.
func (i *Index) at(version uint64) (func() *Snapshot, error) {
	i.writing.Lock()
	defer i.writing.Unlock()
	undo, err := i.history.since(version)
	if err != nil {
		return nil, err
	}
	latest := i.Latest()
	if len(undo) == 0 {
		return func() *Snapshot { return latest }, nil
	}
	if kept, ok := i.past.Get(version); ok {
		return kept, nil
	}
	past := latest.change()
	made := sync.OnceValue(func() *Snapshot {
		for _, c := range slices.Backward(undo) {
			past.replace(c.After, c.Before)
		}
		return past.done(version)
	})
	i.past.Add(version, made)
	return made, nil
}

// Remembers says whether At need not undo anything.
func (i *Index) Remembers(version uint64) bool {
	i.writing.Lock()
	defer i.writing.Unlock()
	return version >= i.Latest().Version || i.past.Contains(version)
}

// Since gives what happened after a version, the version of the last that did, and a channel that is closed when more
// happens. The errors are ErrGone and ErrAhead.
func (i *Index) Since(version uint64) (changes []Change, last uint64, more <-chan struct{}, err error) {
	i.writing.Lock()
	defer i.writing.Unlock()
	changes, err = i.history.since(version)
	return changes, max(version, i.Latest().Version), i.changed, err
}

// NamespacesAt are those that held entries at a version, in order. The errors are ErrGone and ErrAhead. As long as they stay
// the same, so does the slice, which is not to be written.
func (i *Index) NamespacesAt(version uint64) ([]string, error) {
	i.writing.Lock()
	defer i.writing.Unlock()
	changes, err := i.history.since(version)
	if err != nil || len(changes) == 0 {
		return i.Latest().Namespaces(), err
	}
	return changes[0].spaces, nil
}

// Changed gives a channel that is closed at the next change.
func (i *Index) Changed() <-chan struct{} {
	i.writing.Lock()
	defer i.writing.Unlock()
	return i.changed
}

// Stands says whether Prepare need not look at every entry.
func (i *Index) Stands(q *Query) bool {
	latest := i.Latest()
	for _, p := range q.Predicates {
		if _, ok := latest.standing[p.Key]; !ok {
			return false
		}
	}
	return true
}

// Prepare keeps sets for the predicates of a query, and gives the catalog as it is, which has them.
func (i *Index) Prepare(q *Query) *Snapshot {
	latest := i.Latest()
	for _, p := range q.Predicates {
		if kept, ok := latest.standing[p.Key]; ok {
			kept.used.Store(i.now().UnixNano())
			continue
		}
		latest = i.stand(p)
	}
	return latest
}

// stand makes the set of a predicate without holding changes back, and then brings it in line with those meanwhile.
func (i *Index) stand(p Predicate) *Snapshot {
	base := i.Latest()
	made := &standing{Predicate: p, set: base.scan(p), used: &atomic.Int64{}}
	made.used.Store(i.now().UnixNano())

	i.writing.Lock()
	defer i.writing.Unlock()
	latest := i.Latest()
	if _, ok := latest.standing[p.Key]; ok {
		return latest // somebody else asked for the same
	}
	missed, err := i.history.since(base.Version)
	if err != nil {
		made.set, missed = latest.scan(p), nil
	}
	for _, c := range missed {
		made.update(c.Before, c.After)
	}
	next := latest.change()
	next.stand(made)
	i.latest.Store(next.done(latest.Version))
	return next.Snapshot
}
