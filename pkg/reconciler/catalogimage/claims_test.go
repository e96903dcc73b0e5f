package catalogimage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"imagecatalog.dev/catalog/pkg/claim"
	catalogfake "imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
)

// claimsCaching are claims over fake API servers, with leases in the cache.
func claimsCaching(t *testing.T, kube *fake.Clientset, entries []runtime.Object, leases ...*coordinationv1.Lease) *cachedClaims {
	t.Helper()
	indexer := newLeaseInformer(kube, "knative-testing").GetIndexer()
	for _, lease := range leases {
		require.NoError(t, indexer.Add(lease))
	}
	return &cachedClaims{
		Keeper: claim.NewKeeper(kube.CoordinationV1().Leases("knative-testing"),
			claim.LiveEntries(catalogfake.NewSimpleClientset(entries...).ImagecatalogV1alpha1())),
		leases: indexer, namespace: "knative-testing", departed: newDeparted(time.Now),
	}
}

func TestAClaimInOrderCostsNoRequest(t *testing.T) {
	ordered := leaseOf("autosd", "adopted")
	wanted, err := claim.Of(entry())
	require.NoError(t, err)
	for title, test := range map[string]struct {
		cached   *coordinationv1.Lease
		requests bool
	}{
		"in order":         {ordered, false},
		"pending":          {leaseOf("autosd", "pending"), true},
		"held by another":  {leaseOf("other", "adopted"), true},
		"not in the cache": {&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "knative-testing", Name: "image-other"}}, true},
	} {
		kube := fake.NewClientset(ordered)
		again, err := claimsCaching(t, kube, []runtime.Object{entry()}, test.cached).Adopt(t.Context(), wanted)
		require.NoError(t, err)
		assert.Zero(t, again)
		assert.Equal(t, test.requests, len(kube.Actions()) > 0, title)
	}
}

func TestTheClaimsOfADeletedEntryAreReleased(t *testing.T) {
	acquired := metav1.NowMicro()
	pending := leaseOf("autosd", "pending")
	pending.Spec.AcquireTime = &acquired
	pending.Annotations[claim.UIDAnnotation] = "u1"
	for title, test := range map[string]struct {
		cached   *coordinationv1.Lease
		gone     bool // the entry was seen stored as u1
		released bool
	}{
		"adopted":                           {leaseOf("autosd", "adopted"), false, true},
		"pending":                           {pending, false, false},
		"pending for what was seen deleted": {pending, true, true},
		"another entry's":                   {leaseOf("other", "adopted"), false, false},
	} {
		kube := fake.NewClientset(test.cached)
		claims := claimsCaching(t, kube, nil, test.cached)
		if test.gone {
			claims.departed.note(it, "u1")
		}
		again, err := claims.Release(t.Context(), it, "")
		require.NoError(t, err)
		left, err := kube.CoordinationV1().Leases("knative-testing").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		assert.Equal(t, test.released, len(left.Items) == 0, title)
		assert.Equal(t, title == "pending", again > claim.Grace-time.Minute/2, title)
	}
}
