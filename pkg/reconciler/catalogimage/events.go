package catalogimage

import (
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/kmeta"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

// entriesOfLease is the index of the entries by the lease that their claim is on.
const entriesOfLease = "lease"

// byLease indexes an entry by the lease of its claim.
func byLease(object any) ([]string, error) {
	if entry, ok := object.(*v1alpha1.CatalogImage); ok {
		if wanted, err := claim.Of(entry); err == nil {
			return []string{wanted.LeaseName()}, nil
		}
	}
	return nil, nil // of no image: its status says so
}

// enqueueOnIntent enqueues an entry when somebody changed it, not when the controller wrote its status: that would
// ask the registry a second time for nothing. But a status that calls for other labels does, and so do labels and
// annotations: policies judge by them, the status mirrors stamps, and by one a check is asked for. A resync (the same
// version twice) counts as a change.
func enqueueOnIntent(impl *controller.Impl, gone *departed) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: impl.Enqueue,
		DeleteFunc: func(object any) {
			if entry, err := kmeta.DeletionHandlingAccessor(object); err == nil {
				gone.note(types.NamespacedName{Namespace: entry.GetNamespace(), Name: entry.GetName()}, entry.GetUID())
			}
			impl.Enqueue(object)
		},
		UpdateFunc: func(before, after any) {
			was, isEntry := before.(*v1alpha1.CatalogImage)
			is, stillEntry := after.(*v1alpha1.CatalogImage)
			if !isEntry || !stillEntry || !statusOnly(was, is) || len(is.FacetLabelChanges()) > 0 {
				impl.Enqueue(after)
			}
		},
	}
}

// statusOnly says whether nothing changed that others than the controller write.
func statusOnly(was, is *v1alpha1.CatalogImage) bool {
	return was.ResourceVersion != is.ResourceVersion && was.UID == is.UID && was.Generation == is.Generation &&
		maps.Equal(was.Labels, is.Labels) && maps.Equal(was.Annotations, is.Annotations)
}

// queue takes the keys of entries to reconcile, now or later.
type queue interface {
	EnqueueKey(types.NamespacedName)
	EnqueueKeyAfter(types.NamespacedName, time.Duration)
}

// claimEvents enqueue the entries that a change of a claim concerns.
type claimEvents struct {
	queue
	entries  cache.Indexer // with entriesOfLease
	departed *departed
}

func (e claimEvents) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    e.changed,
		UpdateFunc: func(_, after any) { e.changed(after) },
		DeleteFunc: e.deleted,
	}
}

// changed enqueues who wants the claim and does not have it in order. The holder is enqueued when the write is over that
// the claim was taken for: at once when that is known, else after the grace.
func (e claimEvents) changed(object any) {
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return
	}
	holder, pending := claim.Holder(lease), !claim.IsAdopted(lease)
	settled := false
	for _, wanted := range e.wanting(lease.Name) {
		entry := types.NamespacedName{Namespace: wanted.Namespace, Name: wanted.Holder}
		switch {
		case wanted.InOrder(lease):
			settled = true
		case entry != holder || !pending:
			e.EnqueueKey(entry)
		}
	}
	if settled || holder.Namespace == "" || holder.Name == "" { // of nobody: whoever wants it heals it
		return
	}
	if left := claim.GraceLeft(lease, e.departed.now()); pending && left > 0 && !e.departed.took(lease, holder) {
		e.EnqueueKeyAfter(holder, left)
		return
	}
	e.EnqueueKey(holder)
}

// all looks at every claim of a cache, as a new leader has to: the one before has heard of their changes.
func (e claimEvents) all(leases cache.Indexer) {
	for _, lease := range leases.List() {
		e.changed(lease)
	}
}

// deleted enqueues whose claim is lost. Of a claim that was released nobody is left.
func (e claimEvents) deleted(object any) {
	if lease, err := kmeta.DeletionHandlingAccessor(object); err == nil {
		for _, wanted := range e.wanting(lease.GetName()) {
			e.EnqueueKey(types.NamespacedName{Namespace: wanted.Namespace, Name: wanted.Holder})
		}
	}
}

// wanting are the claims of stored entries on a lease.
func (e claimEvents) wanting(lease string) []claim.Claim {
	known, err := e.entries.ByIndex(entriesOfLease, lease)
	if err != nil {
		return nil // no such index, which a test would see
	}
	var wanting []claim.Claim
	for _, entry := range known {
		if wanted, err := claim.Of(entry.(*v1alpha1.CatalogImage)); err == nil {
			wanting = append(wanting, wanted)
		}
	}
	return wanting
}
