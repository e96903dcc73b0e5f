package catalogpolicy

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	listers "imagecatalog.dev/catalog/pkg/client/listers/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// countAfter is how long a count waits for more to count: so often at most is the status of a policy written because of
// entries, however many change.
const countAfter = 2 * time.Second

// queue takes the keys of policies to reconcile, now or later.
type queue interface {
	EnqueueKey(types.NamespacedName)
	EnqueueKeyAfter(types.NamespacedName, time.Duration)
}

// events enqueue the policies that a change concerns.
type events struct {
	queue
	policies listers.CatalogPolicyLister
	library  *policy.Library
}

// ofPolicies enqueues a policy at once when its spec changed. A status that was written is looked at with the next count.
func (e events) ofPolicies() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if p, ok := object.(*v1alpha1.CatalogPolicy); ok {
				e.EnqueueKey(types.NamespacedName{Name: p.Name})
			}
		},
		UpdateFunc: func(before, after any) {
			was, wasOne := before.(*v1alpha1.CatalogPolicy)
			is, isOne := after.(*v1alpha1.CatalogPolicy)
			switch {
			case !wasOne || !isOne:
			case was.Generation != is.Generation || was.UID != is.UID:
				e.EnqueueKey(types.NamespacedName{Name: is.Name})
			default:
				e.countSoon(is.Name)
			}
		},
	}
}

// ofEntries enqueues the policies that count an entry, or did, when it changed in what is counted.
func (e events) ofEntries() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { e.recount(object) },
		UpdateFunc: func(before, after any) {
			was, wasOne := before.(*v1alpha1.CatalogImage)
			is, isOne := after.(*v1alpha1.CatalogImage)
			if wasOne && isOne && was.Spec.Image == is.Spec.Image && slices.Equal(verdictsOf(was), verdictsOf(is)) {
				return
			}
			e.recount(before)
			e.recount(after)
		},
		DeleteFunc: func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			e.recount(object)
		},
	}
}

func (e events) recount(object any) {
	entry, ok := object.(*v1alpha1.CatalogImage)
	if !ok {
		return
	}
	ref, err := entry.Spec.Reference()
	if err != nil {
		return // no policy is for it
	}
	concerned, err := e.library.SelectingImage(ref.Context())
	if err != nil {
		return // no error: it is a map
	}
	for _, each := range concerned {
		e.countSoon(each.Name)
	}
}

// secretChanged enqueues the policies that name the Secret.
func (e events) secretChanged(secret string) {
	e.each(func(p *v1alpha1.CatalogPolicy) {
		if slices.ContainsFunc(p.Spec.Authorities, func(a v1alpha1.Authority) bool { return a.Key.SecretRef != nil && a.Key.SecretRef.Name == secret }) {
			e.EnqueueKey(types.NamespacedName{Name: p.Name})
		}
	})
}

// ofNamespaces enqueues the policies that select by labels of namespaces. One that goes takes its entries along.
func (e events) ofNamespaces() cache.ResourceEventHandler {
	recount := func() {
		e.each(func(p *v1alpha1.CatalogPolicy) {
			if p.Spec.NamespaceSelector != nil {
				e.countSoon(p.Name)
			}
		})
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { recount() },
		UpdateFunc: func(before, after any) {
			was, wasOne := before.(*corev1.Namespace)
			is, isOne := after.(*corev1.Namespace)
			if wasOne && isOne && !maps.Equal(was.Labels, is.Labels) {
				recount()
			}
		},
	}
}

func (e events) each(do func(*v1alpha1.CatalogPolicy)) {
	all, err := e.policies.List(labels.Everything())
	if err != nil {
		return // no error: it is a map
	}
	for _, p := range all {
		do(p)
	}
}

func (e events) countSoon(name string) {
	e.EnqueueKeyAfter(types.NamespacedName{Name: name}, countAfter)
}
