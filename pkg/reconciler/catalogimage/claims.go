package catalogimage

import (
	"context"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationinformers "k8s.io/client-go/informers/coordination/v1"
	"k8s.io/client-go/kubernetes"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/system"

	"imagecatalog.dev/catalog/pkg/claim"
)

const (
	// leasesOfHolder is the index of the claims by their holder.
	leasesOfHolder = "holder"
	// claimResync is how often every claim is looked at again. It costs no request as long as they are in order.
	claimResync = 10 * time.Minute
)

// newLeaseInformer watches the claims, and no other lease of the namespace.
func newLeaseInformer(kube kubernetes.Interface, namespace string) cache.SharedIndexInformer {
	byHolder := func(object any) ([]string, error) {
		return []string{object.(*coordinationv1.Lease).Labels[claim.HolderLabel]}, nil
	}
	return coordinationinformers.NewFilteredLeaseInformer(kube, namespace, claimResync, cache.Indexers{leasesOfHolder: byHolder},
		func(options *metav1.ListOptions) { options.LabelSelector = claim.Selector })
}

// cachedClaims is a claim.Keeper that asks the API server only about claims that are not in order.
type cachedClaims struct {
	*claim.Keeper
	leases    cache.Indexer // of newLeaseInformer
	namespace string        // of the leases
	departed  *departed
}

func newCachedClaims(client coordinationclient.LeasesGetter, entries claim.Entries, leases cache.Indexer, gone *departed) *cachedClaims {
	return &cachedClaims{
		Keeper: claim.NewKeeper(client.Leases(system.Namespace()), entries), leases: leases, namespace: system.Namespace(), departed: gone,
	}
}

// Adopt is that of claim.Keeper.
func (c *cachedClaims) Adopt(ctx context.Context, wanted claim.Claim) (time.Duration, error) {
	object, found, _ := c.leases.GetByKey(c.namespace + "/" + wanted.LeaseName()) // no error: it is a map
	if !found {
		return c.Keeper.Adopt(ctx, wanted, nil)
	}
	known := object.(*coordinationv1.Lease)
	if wanted.InOrder(known) {
		return 0, nil
	}
	return c.Keeper.Adopt(ctx, wanted, known)
}

// Release releases the claims that an entry holds and does not match, except the one on keep ("" for none). A duration
// above zero is when to release again.
func (c *cachedClaims) Release(ctx context.Context, entry types.NamespacedName, keep string) (time.Duration, error) {
	known, err := c.leases.ByIndex(leasesOfHolder, claim.HolderKey(entry))
	if err != nil {
		return 0, err
	}
	held := make([]*coordinationv1.Lease, len(known))
	for n := range known {
		held[n] = known[n].(*coordinationv1.Lease)
	}
	return c.Keeper.Release(ctx, held, entry, keep, c.departed.uid(entry))
}

// departed remembers for claim.Grace the UIDs of entries that were seen stored and then deleted: their creates have come
// to an end, so their claims are free. Without it an image whose entry was deleted within moments could be published
// under another name only after the grace.
type departed struct {
	now   func() time.Time
	mutex sync.Mutex
	last  map[types.NamespacedName]departure
	queue []departure // oldest first
}

type departure struct {
	entry types.NamespacedName
	uid   types.UID
	at    time.Time
}

func newDeparted(now func() time.Time) *departed {
	return &departed{now: now, last: map[types.NamespacedName]departure{}}
}

func (d *departed) note(entry types.NamespacedName, uid types.UID) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.expire()
	d.last[entry] = departure{entry, uid, d.now()}
	d.queue = append(d.queue, d.last[entry])
}

// expire forgets what is over. Each departure is looked at once, however many there are.
func (d *departed) expire() {
	for len(d.queue) > 0 && d.now().Sub(d.queue[0].at) > claim.Grace {
		if past := d.queue[0]; d.last[past.entry] == past {
			delete(d.last, past.entry)
		}
		d.queue = d.queue[1:]
	}
}

// uid is "" when no such entry departed lately.
func (d *departed) uid(entry types.NamespacedName) types.UID {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.expire()
	return d.last[entry].uid
}

// took says whether the claim was taken for an entry that departed lately.
func (d *departed) took(lease *coordinationv1.Lease, entry types.NamespacedName) bool {
	uid := claim.UID(lease)
	return uid != "" && uid == d.uid(entry)
}
