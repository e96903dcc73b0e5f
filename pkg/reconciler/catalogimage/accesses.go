package catalogimage

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/tally"
)

const (
	// readInterval is how often replicas of the query server are read. What one counts after the last time is lost when it
	// ends; one of 100,000 entries that were all accessed tells 5 MB.
	readInterval = 10 * time.Second
	// foldWithin is how long counts wait for a write that is made anyway.
	foldWithin = 24 * time.Hour
)

// accesses are what the replicas of the query server have counted, on its way into the statuses.
//
// A status keeps beside the sum what of it each replica has counted, so whatever of a replica is known can be folded in any
// number of times. It keeps that no longer than it must: until the replica has ended and nothing is known of it here. So
// what another controller may have let go of must not be known here: with each bucket that comes or goes everything is
// forgotten, and what is read afterwards is only of replicas that run.
type accesses struct {
	// read gives what replicas have counted; all says that no other runs.
	read    func(context.Context) (read []tally.Tally, all bool)
	entries cache.Store
	enqueue func(types.NamespacedName)
	now     func() time.Time

	mutex   sync.Mutex
	buckets map[string]bool                // that this controller leads
	term    int                            // counts how often they changed
	counted map[string]map[types.UID]int64 // by replica, since it started
	all     bool                           // no other replica runs than those
	waiting map[types.UID]time.Time        // entries whose statuses lack something, and since when
}

// newAccesses are those that the pods of the query server have counted. It has still to be told how to enqueue an entry.
func newAccesses(pods typedcorev1.PodInterface, entries cache.Store) *accesses {
	return &accesses{read: newQueryReplicas(pods).read, entries: entries, now: time.Now}
}

func (a *accesses) promoted(bucket reconciler.Bucket) { a.change(bucket, true) }
func (a *accesses) demoted(bucket reconciler.Bucket)  { a.change(bucket, false) }

func (a *accesses) change(bucket reconciler.Bucket, leads bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.buckets == nil {
		a.buckets = map[string]bool{}
	}
	if leads {
		a.buckets[bucket.Name()] = true
	} else {
		delete(a.buckets, bucket.Name())
	}
	a.term++
	a.counted, a.all, a.waiting = map[string]map[types.UID]int64{}, false, nil
}

// poll reads the replicas, and has entries written that have waited for too long.
func (a *accesses) poll(ctx context.Context) {
	term, leads := a.standing()
	if !leads {
		return
	}
	read, all := a.read(ctx)
	for _, entry := range a.take(term, read, all) {
		a.enqueue(entry)
	}
}

func (a *accesses) standing() (term int, leads bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.term, len(a.buckets) > 0
}

// take takes over what was read in a term, and gives the entries that are due.
func (a *accesses) take(term int, read []tally.Tally, all bool) (due []types.NamespacedName) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if term != a.term {
		return nil
	}
	a.all = all
	silent := maps.Clone(a.counted)
	for _, t := range read {
		a.counted[t.Replica] = t.Counts
		delete(silent, t.Replica)
	}
	due = a.look()
	a.forget(silent)
	return due
}

// look finds which entries wait.
func (a *accesses) look() (due []types.NamespacedName) {
	now, waiting := a.now(), map[types.UID]time.Time{}
	for _, object := range a.entries.List() {
		entry := object.(*v1alpha1.CatalogImage)
		if !a.exceed(entry) {
			continue
		}
		since, waits := a.waiting[entry.UID]
		if !waits {
			since = now
		}
		waiting[entry.UID] = since
		if now.Sub(since) >= foldWithin {
			due = append(due, types.NamespacedName{Namespace: entry.Namespace, Name: entry.Name})
		}
	}
	a.waiting = waiting
	return due
}

// exceed says whether something is known that the status lacks.
func (a *accesses) exceed(entry *v1alpha1.CatalogImage) bool {
	for name, counts := range a.counted {
		if count := counts[entry.UID]; count > 0 && count > entry.Status.AccessesOf(name) {
			return true
		}
	}
	return false
}

// forget lets go of what replicas that may have ended counted of entries that wait no more, and of those replicas in the
// end; at once where there are too many, because one ends again and again, or pretends to.
func (a *accesses) forget(silent map[string]map[types.UID]int64) {
	tooMany := len(a.counted) > v1alpha1.MaxAccessReadings
	for name, counts := range silent {
		maps.DeleteFunc(counts, func(entry types.UID, _ int64) bool {
			_, waits := a.waiting[entry]
			return !waits
		})
		if tooMany || len(counts) == 0 {
			delete(a.counted, name)
		}
	}
}

// fold adds to a status what is known, if it is to be written anyway or has waited for too long.
func (a *accesses) fold(entry *v1alpha1.CatalogImage, written bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if since, waits := a.waiting[entry.UID]; !written && (!waits || a.now().Sub(since) < foldWithin) {
		return
	}
	counted := map[string]int64{}
	for name, counts := range a.counted {
		if count := counts[entry.UID]; count > 0 {
			counted[name] = count
		}
	}
	entry.Status.MarkAccesses(counted, func(replica string) bool {
		_, known := a.counted[replica]
		return a.all && !known
	})
}
