package index

import (
	"context"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// lookBack is how long, in seconds, the API server is asked what happened before a list. Two seconds before the end it says how
// far it has told.
const lookBack = 4

// settle has the first list be of the version of the last change in it. The API server gives it the version of the moment, which
// grows with all else that is written to the cluster: of a catalog in which nothing happens, each replica would have another
// version, and a walk that began at one could not go on at the next.
func (i *Index) settle(ctx context.Context, from cache.WatcherWithContext) {
	for {
		select {
		case <-ctx.Done():
			return
		case unknown := <-i.first:
			if last, known := lastChange(ctx, from, unknown); known {
				i.settleAt(last, unknown.until)
			}
		}
	}
}

// unsettle has settle look at a list: of the newest version of an entry in it, and of its own.
func (i *Index) unsettle(list gap) {
	select {
	case <-i.first: // another list came before it was looked at
	default:
	}
	if list.after > 0 {
		i.first <- list
	}
}

// lastChange is the version of the last change in a list. After the newest version of an entry in it, entries can only have gone.
// An API server that was started later does not know.
func lastChange(ctx context.Context, from cache.WatcherWithContext, list gap) (last uint64, known bool) {
	seconds := int64(lookBack)
	ctx, cancel := context.WithTimeout(ctx, 2*lookBack*time.Second)
	defer cancel()
	events, err := from.WatchWithContext(ctx, metav1.ListOptions{
		ResourceVersion: strconv.FormatUint(list.after, 10), AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	})
	if err != nil {
		return 0, false
	}
	defer events.Stop()
	last = list.after
	for event := range events.ResultChan() {
		version, err := versionOf(event)
		switch {
		case err != nil:
			return 0, false
		case version > list.until, version == list.until && event.Type == watch.Bookmark:
			return last, true
		case event.Type != watch.Bookmark:
			last = version
		}
	}
	return 0, false
}

// versionOf gives an error for an event that is one, too.
func versionOf(event watch.Event) (uint64, error) {
	object, err := meta.Accessor(event.Object)
	if err != nil {
		return 0, err
	}
	return parseVersion(object.GetResourceVersion())
}

// settleAt has the catalog be as it was listed from an earlier version on.
func (i *Index) settleAt(version, listed uint64) {
	i.writing.Lock()
	defer i.writing.Unlock()
	if i.history.floor != listed {
		return // of what happened since, something is forgotten
	}
	i.history.floor = version
	if latest := i.Latest(); latest.Version == listed {
		i.latest.Store(latest.change().done(version))
	}
}

func newestOf(entries []*Entry) (version uint64) {
	for _, e := range entries {
		version = max(version, e.version)
	}
	return version
}
