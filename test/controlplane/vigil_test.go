//go:build controlplane

package controlplane

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// vigil sees every state that the entries of a namespace have, by a watch: asking for thousands again and again would be
// the most that an API server has to do.
type vigil struct {
	namespace string
	watcher   *watchtools.RetryWatcher
	done      chan struct{}

	mutex      sync.Mutex
	latest     map[string]*v1alpha1.CatalogImage
	seen       int
	wrong      func(*v1alpha1.CatalogImage) string // "" of what is in order; nil of everything
	complaints []string
}

// newVigil begins with a namespace of its own.
func newVigil(t *testing.T) *vigil {
	t.Helper()
	v := &vigil{namespace: newNamespace(t), done: make(chan struct{}), latest: map[string]*v1alpha1.CatalogImage{}}
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(v.namespace)
	none, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	v.watcher, err = watchtools.NewRetryWatcherWithContext(t.Context(), none.ResourceVersion, &cache.ListWatch{WatchFuncWithContext: entries.Watch})
	require.NoError(t, err)
	go v.keep()
	t.Cleanup(func() { v.end() })
	return v
}

func (v *vigil) keep() {
	defer close(v.done)
	for event := range v.watcher.ResultChan() {
		v.see(event)
	}
}

func (v *vigil) see(event watch.Event) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.seen++
	entry, ok := event.Object.(*v1alpha1.CatalogImage)
	switch {
	case !ok:
		v.complaints = append(v.complaints, fmt.Sprintf("%s: %v", event.Type, event.Object))
		return
	case event.Type == watch.Deleted:
		delete(v.latest, entry.Name)
	default:
		v.latest[entry.Name] = entry
	}
	if v.wrong == nil {
		return
	}
	if event.Type == watch.Deleted {
		v.complaints = append(v.complaints, entry.Name+": deleted")
	} else if what := v.wrong(entry); what != "" {
		v.complaints = append(v.complaints, entry.Name+": "+what)
	}
}

// forbid keeps what is wrong with any state of an entry from now on; that one is deleted always is.
func (v *vigil) forbid(wrong func(*v1alpha1.CatalogImage) string) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.seen, v.wrong = 0, wrong
}

// end gives how many states it saw of what it was to forbid, and those that were wrong.
func (v *vigil) end() (seen int, complaints []string) {
	v.watcher.Stop()
	<-v.done
	return v.seen, v.complaints
}

// now gives the entries by name, as they are.
func (v *vigil) now() map[string]*v1alpha1.CatalogImage {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return maps.Clone(v.latest)
}

// one gives some entry, as it is.
func (v *vigil) one(t *testing.T) *v1alpha1.CatalogImage {
	t.Helper()
	for _, entry := range v.now() {
		return entry
	}
	require.Fail(t, "there is no entry")
	return nil
}

// count counts the entries for which something holds now.
func (v *vigil) count(holds func(*v1alpha1.CatalogImage) bool) (found int) {
	for _, entry := range v.now() {
		if holds(entry) {
			found++
		}
	}
	return found
}

// await waits until something holds for so many entries.
func (v *vigil) await(t *testing.T, count int, holds func(*v1alpha1.CatalogImage) bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for found := v.count(holds); found != count; found = v.count(holds) {
		require.True(t, time.Now().Before(deadline), "it holds for %d entries, not for %d", found, count)
		sleepUntil(t, time.Now().Add(pause))
	}
}

func isAvailable(entry *v1alpha1.CatalogImage) bool {
	return entry.Status.Phase == v1alpha1.PhaseAvailable
}

func isFresh(entry *v1alpha1.CatalogImage) bool {
	return entry.Status.GetCondition(v1alpha1.ConditionFresh).IsTrue()
}

// isNotFresh for a reason.
func isNotFresh(reason string) func(*v1alpha1.CatalogImage) bool {
	return func(entry *v1alpha1.CatalogImage) bool {
		fresh := entry.Status.GetCondition(v1alpha1.ConditionFresh)
		return fresh.IsFalse() && fresh.Reason == reason
	}
}

func isDeleted(entry *v1alpha1.CatalogImage) bool {
	resolved := entry.Status.GetCondition(v1alpha1.ConditionResolved)
	return entry.Status.Phase == v1alpha1.PhaseUnavailable && resolved.IsFalse() && resolved.Reason == "ImageDeleted"
}

// unavailable complains of an entry that is hidden, which none is that was found before.
func unavailable(entry *v1alpha1.CatalogImage) string {
	if resolved := entry.Status.GetCondition(v1alpha1.ConditionResolved); !isAvailable(entry) || !resolved.IsTrue() {
		return fmt.Sprintf("%s, %s", entry.Status.Phase, resolved.GetReason())
	}
	return ""
}
