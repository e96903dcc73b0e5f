package catalogimage

import (
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/kmeta"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// storedPolicies select by the labels that namespaces have.
type storedPolicies struct {
	library    *policy.Library
	namespaces corelisters.NamespaceLister
}

// Selecting implements Policies.
func (p *storedPolicies) Selecting(repository name.Repository, namespace string) ([]*policy.Policy, error) {
	var labels map[string]string
	if known, err := p.namespaces.Get(namespace); err == nil { // else it is being deleted, or so new that its event is to come
		labels = known.Labels
	}
	return p.library.Selecting(repository, labels)
}

// policyEvents enqueue the entries that are to be judged anew when a policy or a namespace changes. They may be all: enqueue
// lets what somebody publishes meanwhile go first.
type policyEvents struct {
	enqueue func(types.NamespacedName)
	entries cache.Indexer // by namespace
}

// policies enqueue the entries for which the policy is, and those that it has judged.
func (e policyEvents) policies() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: unlessInitial(e.changed),
		UpdateFunc: func(before, after any) {
			if was, is := before.(*v1alpha1.CatalogPolicy), after.(*v1alpha1.CatalogPolicy); !judgesLike(was, is) {
				e.judgeAgain(was, is) // whom it was for may just be being judged by it
			}
		},
		DeleteFunc: e.changed,
	}
}

// unlessInitial leaves out what there is at the start, when every entry is looked at anyway.
func unlessInitial(do func(any)) func(object any, initial bool) {
	return func(object any, initial bool) {
		if !initial {
			do(object)
		}
	}
}

// judgesLike says whether two versions of a policy judge alike: counts in its status decide nothing.
func judgesLike(was, is *v1alpha1.CatalogPolicy) bool {
	return was.ResourceVersion != is.ResourceVersion && equality.Semantic.DeepEqual(was.Spec, is.Spec) &&
		equality.Semantic.DeepEqual(was.Status.Keys, is.Status.Keys) && was.Status.ObservedGeneration == is.Status.ObservedGeneration
}

func (e policyEvents) changed(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if changed, ok := object.(*v1alpha1.CatalogPolicy); ok {
		e.judgeAgain(changed)
	}
}

// judgeAgain enqueues the entries that a policy has judged, and those for which one of its versions is.
func (e policyEvents) judgeAgain(versions ...*v1alpha1.CatalogPolicy) {
	var readable []*policy.Policy
	for _, version := range versions {
		if read, _ := policy.Read(version); read != nil { // what cannot be read selects nothing
			readable = append(readable, read)
		}
	}
	for _, object := range e.entries.List() {
		entry := object.(*v1alpha1.CatalogImage)
		if verdictOf(entry.Status.Verification, versions[0].Name) != nil || anySelects(readable, entry) {
			e.enqueue(nameOf(entry))
		}
	}
}

// anySelects says whether one of the policies may be for an entry; its namespace decides, besides.
func anySelects(policies []*policy.Policy, entry *v1alpha1.CatalogImage) bool {
	ref, err := entry.Spec.Reference()
	return err == nil && slices.ContainsFunc(policies, func(p *policy.Policy) bool { return p.SelectsImage(ref.Context()) })
}

// namespaces enqueue the entries of a namespace with other labels.
func (e policyEvents) namespaces() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: unlessInitial(e.relabelled),
		UpdateFunc: func(before, after any) {
			if !equality.Semantic.DeepEqual(before.(*corev1.Namespace).Labels, after.(*corev1.Namespace).Labels) {
				e.relabelled(after)
			}
		},
	}
}

func (e policyEvents) relabelled(object any) {
	namespace, err := kmeta.DeletionHandlingAccessor(object)
	if err != nil {
		return
	}
	known, err := e.entries.ByIndex(cache.NamespaceIndex, namespace.GetName())
	if err != nil {
		return // no such index, which a test would see
	}
	for _, entry := range known {
		e.enqueue(types.NamespacedName{Namespace: namespace.GetName(), Name: entry.(*v1alpha1.CatalogImage).Name})
	}
}
