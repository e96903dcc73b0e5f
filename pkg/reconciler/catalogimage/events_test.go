package catalogimage

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

var it = types.NamespacedName{Namespace: "radar", Name: "autosd"}

func version(resource string, generation int64, options ...option) *v1alpha1.CatalogImage {
	i := entry(options...)
	i.ResourceVersion, i.Generation = resource, generation
	return i
}

func TestWhichChangesOfAnEntryEnqueueIt(t *testing.T) {
	withPlatforms := func(i *v1alpha1.CatalogImage) { i.Status.Image = reference; describedIndex(digestA)(i) }
	labelled := func(i *v1alpha1.CatalogImage) { withPlatforms(i); i.Labels = i.FacetLabels() }
	for title, test := range map[string]struct {
		event func(cache.ResourceEventHandler)
		want  []types.NamespacedName
	}{
		"a new entry":      {func(h cache.ResourceEventHandler) { h.OnAdd(version("1", 1), false) }, []types.NamespacedName{it}},
		"a changed spec":   {func(h cache.ResourceEventHandler) { h.OnUpdate(version("1", 1), version("2", 2)) }, []types.NamespacedName{it}},
		"a written status": {func(h cache.ResourceEventHandler) { h.OnUpdate(version("1", 1), version("2", 1)) }, nil},
		"a written status that calls for other labels": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(version("1", 1), version("2", 1, withPlatforms))
		}, []types.NamespacedName{it}},
		"the labels, which policies judge by": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(version("2", 1, withPlatforms), version("3", 1, labelled))
		}, []types.NamespacedName{it}},
		"an annotation": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(version("2", 1), version("3", 1, func(i *v1alpha1.CatalogImage) { i.Annotations = map[string]string{"approved": "yes"} }))
		}, []types.NamespacedName{it}},
		"another of the name": {func(h cache.ResourceEventHandler) { h.OnUpdate(version("2", 1), version("3", 1, uid("u2"))) }, []types.NamespacedName{it}},
		"a restored stamp": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(version("2", 1), version("3", 1, func(i *v1alpha1.CatalogImage) {
				i.Annotations = map[string]string{v1alpha1.CreatorAnnotation: "alice"}
			}))
		}, []types.NamespacedName{it}},
		"a resync":   {func(h cache.ResourceEventHandler) { h.OnUpdate(version("1", 1), version("1", 1)) }, []types.NamespacedName{it}},
		"a deletion": {func(h cache.ResourceEventHandler) { h.OnDelete(version("3", 1)) }, []types.NamespacedName{it}},
		"a deletion missed": {func(h cache.ResourceEventHandler) {
			h.OnDelete(cache.DeletedFinalStateUnknown{Key: key, Obj: version("3", 1)})
		}, []types.NamespacedName{it}},
	} {
		t.Run(title, func(t *testing.T) {
			impl := newImpl(t)
			test.event(enqueueOnIntent(impl, newDeparted(time.Now)))
			assert.Equal(t, test.want, drained(impl))
		})
	}
}

func TestTheUIDOfADeletedEntryIsRemembered(t *testing.T) {
	for title, deletion := range map[string]any{
		"seen":   version("3", 1, uid("u1")),
		"missed": cache.DeletedFinalStateUnknown{Key: key, Obj: version("3", 1, uid("u1"))},
	} {
		gone := newDeparted(func() time.Time { return now })
		enqueueOnIntent(newImpl(t), gone).OnDelete(deletion)
		assert.Equal(t, types.UID("u1"), gone.uid(it), title)

		gone.now = func() time.Time { return now.Add(claim.Grace + 1) }
		assert.Empty(t, gone.uid(it), title)
		gone.note(types.NamespacedName{Namespace: "radar", Name: "other"}, "u2")
		assert.Len(t, gone.last, 1, "what is over is forgotten")
	}
}

func uid(uid types.UID) option { return func(i *v1alpha1.CatalogImage) { i.UID = uid } }

// recordedQueue notes what it is given.
type recordedQueue struct {
	now   []types.NamespacedName
	later []string
}

func (q *recordedQueue) EnqueueKey(key types.NamespacedName) { q.now = append(q.now, key) }

func (q *recordedQueue) EnqueueKeyAfter(key types.NamespacedName, after time.Duration) {
	q.later = append(q.later, key.String()+" after "+after.String())
}

func one(entry *v1alpha1.CatalogImage) []*v1alpha1.CatalogImage {
	return []*v1alpha1.CatalogImage{entry}
}

func add(lease *coordinationv1.Lease) func(cache.ResourceEventHandler) {
	return func(h cache.ResourceEventHandler) { h.OnAdd(lease, true) }
}

func update(lease *coordinationv1.Lease) func(cache.ResourceEventHandler) {
	return func(h cache.ResourceEventHandler) { h.OnUpdate(leaseOf("autosd", "adopted"), lease) }
}

// leaseOf is the lease on the image of entry(), as a cache has it.
func leaseOf(holder, state string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "knative-testing",
			Name:      claim.Claim{Namespace: "radar", Identity: reference}.LeaseName(),
			Labels: map[string]string{
				claim.StateLabel:  state,
				claim.HolderLabel: claim.HolderKey(types.NamespacedName{Namespace: "radar", Name: holder}),
			},
			Annotations: map[string]string{claim.NamespaceAnnotation: "radar", claim.IdentityAnnotation: reference},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, AcquireTime: &metav1.MicroTime{Time: now.Add(-20 * time.Second)}},
	}
}

func TestWhichChangesOfAClaimEnqueueWhom(t *testing.T) {
	other := types.NamespacedName{Namespace: "radar", Name: "other"}
	stripped := leaseOf("autosd", "adopted")
	stripped.Annotations = nil
	departed := leaseOf("autosd", "pending")
	departed.Annotations[claim.UIDAnnotation] = "departed"
	old := leaseOf("autosd", "pending")
	old.Spec.AcquireTime = &metav1.MicroTime{Time: now.Add(-claim.Grace)}
	relabelled := leaseOf("autosd", "adopted")
	relabelled.Labels[claim.HolderLabel] = "other"
	for title, test := range map[string]struct {
		stored []*v1alpha1.CatalogImage
		event  func(cache.ResourceEventHandler)
		now    []types.NamespacedName // enqueued at once
		later  string                 // and after a while
	}{
		"taken for an entry that is not stored":    {nil, add(leaseOf("autosd", "pending")), nil, "radar/autosd after 40s"},
		"taken for an entry that is stored":        {one(entry()), add(leaseOf("autosd", "pending")), nil, "radar/autosd after 40s"},
		"taken for an entry that never came":       {nil, add(old), []types.NamespacedName{it}, ""},
		"taken for an entry that is deleted again": {nil, add(departed), []types.NamespacedName{it}, ""},
		"forged so that it is not found":           {one(entry()), update(relabelled), []types.NamespacedName{it, it}, ""},
		"adopted":                                  {one(entry()), add(leaseOf("autosd", "adopted")), nil, ""},
		"adopted, and the entry is gone":           {nil, add(leaseOf("autosd", "adopted")), []types.NamespacedName{it}, ""},
		"adopted, and the entry is of another":     {one(entry(image("quay.io/acme/autosd:2"))), add(leaseOf("autosd", "adopted")), []types.NamespacedName{it}, ""},
		"taken over by another, adopted":           {one(entry()), update(leaseOf("other", "adopted")), []types.NamespacedName{it, other}, ""},
		"taken over by another, pending":           {one(entry()), update(leaseOf("other", "pending")), []types.NamespacedName{it}, "radar/other after 40s"},
		"of nobody":                                {one(entry()), update(leaseOf("", "adopted")), []types.NamespacedName{it}, ""},
		"forged so that the holder cannot be told": {one(entry()), update(stripped), []types.NamespacedName{it}, ""},
		"deleted by hand":                          {one(entry()), func(h cache.ResourceEventHandler) { h.OnDelete(leaseOf("autosd", "adopted")) }, []types.NamespacedName{it}, ""},
		"deleted by hand, which was missed": {one(entry()), func(h cache.ResourceEventHandler) {
			h.OnDelete(cache.DeletedFinalStateUnknown{Key: "x", Obj: leaseOf("autosd", "adopted")})
		}, []types.NamespacedName{it}, ""},
		"released":                        {nil, func(h cache.ResourceEventHandler) { h.OnDelete(leaseOf("autosd", "adopted")) }, nil, ""},
		"of an image that no entry is of": {one(entry(image("UPPER/case:1"))), func(h cache.ResourceEventHandler) { h.OnDelete(leaseOf("autosd", "adopted")) }, nil, ""},
	} {
		t.Run(title, func(t *testing.T) {
			entries := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{entriesOfLease: byLease})
			for _, e := range test.stored {
				require.NoError(t, entries.Add(e))
			}
			queue, gone := &recordedQueue{}, newDeparted(func() time.Time { return now })
			gone.note(it, "departed")
			test.event(claimEvents{queue, entries, gone}.handler())
			assert.ElementsMatch(t, test.now, queue.now)
			assert.Equal(t, test.later, strings.Join(queue.later, ", "))
		})
	}
}
