package catalogimage

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"
)

// forgiving has the failures of an entry forgotten once it comes through. knative does so only for keys that ask for nothing
// more, and an entry always asks to come again: after fifteen failures in all the months of its life it would wait for
// minutes at each further one, and after three more for a quarter of an hour.
type forgiving struct {
	generated
	forget func(key any) // of the queue
}

// Reconcile implements controller.Reconciler.
func (f *forgiving) Reconcile(ctx context.Context, key string) error {
	err := f.generated.Reconcile(ctx, key)
	if again, _ := controller.IsRequeueKey(err); !again {
		return err
	}
	if namespace, name, invalid := cache.SplitMetaNamespaceKey(key); invalid == nil {
		f.forget(types.NamespacedName{Namespace: namespace, Name: name})
	}
	return err
}
