// Package namespace tells how namespaces are labelled, by which policies select entries. It is a package of its own since
// both reconcilers ask, and share one watch.
package namespace

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// Labels are those of all namespaces, as a watch of their metadata tells them.
type Labels struct {
	informer cache.SharedIndexInformer
	run      sync.Once
}

// NewLabels are not known until they are started.
func NewLabels(client metadata.Interface) *Labels {
	const noResync = time.Duration(0)
	return &Labels{informer: metadatainformer.NewFilteredMetadataInformer(client, corev1.SchemeGroupVersion.WithResource("namespaces"),
		metav1.NamespaceAll, noResync, cache.Indexers{}, nil).Informer()}
}

// Of gives the labels of a namespace, which are not to be changed; nil of one that is not known, or not yet.
func (l *Labels) Of(namespace string) map[string]string {
	object, found, err := l.informer.GetStore().GetByKey(namespace)
	if err != nil || !found {
		return nil
	}
	return labelsOf(object)
}

// OnChange has changed called with the name of each namespace that becomes known, or gets other labels. One that goes takes
// its entries along.
func (l *Labels) OnChange(changed func(namespace string)) error {
	_, err := l.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { changed(nameOf(object)) },
		UpdateFunc: func(before, after any) {
			if !maps.Equal(labelsOf(before), labelsOf(after)) {
				changed(nameOf(after))
			}
		},
	})
	return err
}

// Start watches until the context ends, and returns when all namespaces are known. Everybody who asks for labels may start
// them.
func (l *Labels) Start(ctx context.Context) {
	l.run.Do(func() { go l.informer.RunWithContext(ctx) })
	cache.WaitForCacheSync(ctx.Done(), l.informer.HasSynced)
}

func labelsOf(object any) map[string]string {
	if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
		return namespace.Labels
	}
	return nil
}

func nameOf(object any) string {
	if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
		return namespace.Name
	}
	return ""
}
