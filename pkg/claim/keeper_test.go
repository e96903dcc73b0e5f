package claim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clientgotesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const systemNamespace = "image-catalog"

var (
	now  = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	mine = Claim{Namespace: "radar", Holder: "mine", Identity: "quay.io/acme/autosd:1"}
)

// stored are the entries of the API server: the identity by namespace and name.
type stored map[string]string

func (s stored) Identity(_ context.Context, namespace, name string) (string, error) {
	return s[namespace+"/"+name], nil
}

type unreadable struct{ error }

func (u unreadable) Identity(context.Context, string, string) (string, error) { return "", u.error }

// testKeeper is a keeper over a fake API server that holds leases and knows the time.
type testKeeper struct {
	*Keeper
	kube *fake.Clientset
}

func newKeeper(t *testing.T, entries Entries, leases ...runtime.Object) testKeeper {
	t.Helper()
	kube := fake.NewClientset(leases...)
	k := NewKeeper(kube.CoordinationV1().Leases(systemNamespace), entries)
	k.now = func() time.Time { return now }
	return testKeeper{k, kube}
}

// lease is the claim as it is stored; nil if it is not.
func (k testKeeper) lease(t *testing.T, claim Claim) *coordinationv1.Lease {
	t.Helper()
	lease, err := k.kube.CoordinationV1().Leases(systemNamespace).Get(t.Context(), claim.leaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(t, err)
	return lease
}

// writes are the requests that change something.
func (k testKeeper) writes() []clientgotesting.Action {
	var writes []clientgotesting.Action
	for _, action := range k.kube.Actions() {
		if action.GetVerb() != "get" && action.GetVerb() != "list" {
			writes = append(writes, action)
		}
	}
	return writes
}

// claimed is the lease of a claim that was taken by holder some time ago.
func claimed(identity, holder string, in state, ago time.Duration) *coordinationv1.Lease {
	claim := Claim{Namespace: "radar", Holder: holder, Identity: identity}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: systemNamespace, Name: claim.leaseName(), UID: types.UID("uid-of-" + holder), ResourceVersion: "7",
	}}
	(&Keeper{now: func() time.Time { return now.Add(-ago) }}).write(lease, claim, in)
	return lease
}

func TestTheTableOfThePackageComment(t *testing.T) {
	autosd := mine.Identity
	theirs := func(in state, ago time.Duration) *coordinationv1.Lease { return claimed(autosd, "theirs", in, ago) }
	held := &HeldError{Claim: mine, By: "theirs"}
	pendingFor := func(d time.Duration) error { return &PendingError{Claim: mine, By: "theirs", RetryAfter: d} }
	for title, test := range map[string]struct {
		lease   *coordinationv1.Lease // nil: nobody has the claim
		entries stored
		refusal error
	}{
		"nobody has it":                               {nil, nil, nil},
		"mine, pending":                               {claimed(autosd, "mine", pending, 0), nil, nil},
		"mine, adopted, and I exist":                  {claimed(autosd, "mine", adopted, 0), stored{"radar/mine": autosd}, nil},
		"mine, adopted, and I am gone":                {claimed(autosd, "mine", adopted, time.Hour), nil, nil},
		"the holder exists, adopted":                  {theirs(adopted, time.Hour), stored{"radar/theirs": autosd}, held},
		"the holder exists, pending":                  {theirs(pending, 0), stored{"radar/theirs": autosd}, held},
		"the holder exists, pending for long":         {theirs(pending, time.Hour), stored{"radar/theirs": autosd}, held},
		"the holder exists in another namespace":      {theirs(adopted, 0), stored{"lidar/theirs": autosd}, nil},
		"adopted, and the holder is gone":             {theirs(adopted, 0), nil, nil},
		"adopted, and the holder is of another image": {theirs(adopted, 0), stored{"radar/theirs": "quay.io/acme/autosd:2"}, nil},
		"pending just now":                            {theirs(pending, 0), nil, pendingFor(61 * time.Second)},
		"pending, and the holder is of another image": {theirs(pending, 10*time.Second), stored{"radar/theirs": "quay.io/acme/autosd:2"}, pendingFor(51 * time.Second)},
		"pending, parts of a second are rounded up":   {theirs(pending, 29500*time.Millisecond), nil, pendingFor(31 * time.Second)},
		"pending for a moment less than grace":        {theirs(pending, Grace-time.Millisecond), nil, pendingFor(time.Second)},
		"pending for grace":                           {theirs(pending, Grace), nil, nil},
		"pending since a clock that is ahead":         {theirs(pending, -5*time.Second), nil, pendingFor(66 * time.Second)},
	} {
		for verb, to := range map[string]state{"Take": pending, "Adopt": adopted, "Check": ""} {
			t.Run(title+"/"+verb, func(t *testing.T) {
				var leases []runtime.Object
				if test.lease != nil {
					leases = append(leases, test.lease.DeepCopy())
				}
				k := newKeeper(t, test.entries, leases...)
				before := k.lease(t, mine)

				err := map[string]func(context.Context, Claim) error{"Take": k.Take, "Adopt": k.Adopt, "Check": k.Check}[verb](t.Context(), mine)

				assert.Equal(t, test.refusal, err)
				if test.refusal != nil || verb == "Check" {
					assert.Empty(t, k.writes())
					assert.Equal(t, before, k.lease(t, mine))
					return
				}
				assertHeld(t, k.lease(t, mine), mine, to)
			})
		}
	}
}

func assertHeld(t *testing.T, lease *coordinationv1.Lease, claim Claim, in state) {
	t.Helper()
	require.NotNil(t, lease)
	assert.Equal(t, claim.Holder, holder(lease))
	assert.Equal(t, map[string]string{HolderLabel: holderHash(claim.Namespace, claim.Holder), StateLabel: string(in)}, lease.Labels)
	assert.Equal(t, map[string]string{NamespaceAnnotation: claim.Namespace, IdentityAnnotation: claim.Identity}, lease.Annotations)
}

func TestALeaseWithoutATimeIsNotHonoured(t *testing.T) {
	lease := claimed(mine.Identity, "theirs", pending, 0)
	lease.Spec.AcquireTime = nil
	k := newKeeper(t, stored{}, lease)
	require.NoError(t, k.Take(t.Context(), mine))
	assertHeld(t, k.lease(t, mine), mine, pending)
}

func TestALeaseWithoutAHolderIsFree(t *testing.T) {
	lease := claimed(mine.Identity, "theirs", adopted, 0)
	lease.Spec.HolderIdentity = nil
	k := newKeeper(t, stored{}, lease)
	require.NoError(t, k.Take(t.Context(), mine))
	assertHeld(t, k.lease(t, mine), mine, pending)
}

func TestTakingAgainStartsTheGraceAnew(t *testing.T) {
	k := newKeeper(t, stored{}, claimed(mine.Identity, "mine", pending, 50*time.Second))
	require.NoError(t, k.Take(t.Context(), mine))
	assert.Equal(t, now, k.lease(t, mine).Spec.AcquireTime.UTC())
}

func TestAdoptingWhatIsAdoptedWritesNothing(t *testing.T) {
	k := newKeeper(t, stored{}, claimed(mine.Identity, "mine", adopted, time.Hour))
	require.NoError(t, k.Adopt(t.Context(), mine))
	assert.Empty(t, k.writes())
}

func TestEveryTakeIsACompareAndSwap(t *testing.T) {
	k := newKeeper(t, stored{}, claimed(mine.Identity, "theirs", adopted, time.Hour))
	require.NoError(t, k.Take(t.Context(), mine))
	writes := k.writes()
	require.Len(t, writes, 1)
	update, isUpdate := writes[0].(clientgotesting.UpdateAction)
	require.True(t, isUpdate, "%T", writes[0])
	assert.Equal(t, "7", update.GetObject().(*coordinationv1.Lease).ResourceVersion, "the version on which the judgement was based")
}

func TestLostRaces(t *testing.T) {
	leases := coordinationv1.Resource("leases")
	theirs := claimed(mine.Identity, "theirs", adopted, time.Hour) // whose entry is gone
	for title, test := range map[string]struct {
		verb    string
		lost    error
		present []runtime.Object
	}{
		"another created it":  {"create", apierrors.NewAlreadyExists(leases, "x"), nil},
		"another changed it":  {"update", apierrors.NewConflict(leases, "x", errors.New("newer")), []runtime.Object{theirs}},
		"another released it": {"update", apierrors.NewNotFound(leases, "x"), []runtime.Object{theirs}},
	} {
		for _, times := range []int{1, attempts - 1, attempts, 1000} {
			t.Run(fmt.Sprintf("%s/%d times", title, times), func(t *testing.T) {
				k := newKeeper(t, stored{}, test.present...)
				tried := 0
				k.kube.PrependReactor(test.verb, "leases", func(clientgotesting.Action) (bool, runtime.Object, error) {
					tried++
					return tried <= times, nil, test.lost
				})
				err := k.Take(t.Context(), mine)
				if times < attempts {
					require.NoError(t, err)
					assertHeld(t, k.lease(t, mine), mine, pending)
					assert.Equal(t, times+1, tried)
					return
				}
				assert.EqualError(t, err, "claiming quay.io/acme/autosd:1: lost 8 races for it; try again")
				assert.Equal(t, attempts, tried)
			})
		}
	}
}

func TestTheLoserOfARaceIsToldTheWinner(t *testing.T) {
	entries := stored{}
	k := newKeeper(t, entries)
	k.kube.PrependReactor("create", "leases", func(clientgotesting.Action) (bool, runtime.Object, error) {
		entries["radar/theirs"] = mine.Identity
		_ = k.kube.Tracker().Add(claimed(mine.Identity, "theirs", adopted, 0)) // and then the create goes on, and loses
		return false, nil, nil
	})
	assert.Equal(t, &HeldError{Claim: mine, By: "theirs"}, k.Take(t.Context(), mine))
}

func TestOneOfManySimultaneousTakersWins(t *testing.T) {
	const takers = 50
	k := newKeeper(t, stored{})
	errs := make([]error, takers)
	var all sync.WaitGroup
	for n := range takers {
		all.Go(func() {
			claim := mine
			claim.Holder = fmt.Sprintf("taker-%d", n)
			errs[n] = k.Take(t.Context(), claim)
		})
	}
	all.Wait()

	winner := holder(k.lease(t, mine))
	for n, err := range errs {
		if fmt.Sprintf("taker-%d", n) == winner {
			assert.NoError(t, err)
			continue
		}
		var refused *PendingError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, winner, refused.By)
	}
}

func TestNoAnswerIsNoVerdict(t *testing.T) {
	down := errors.New("connection refused")
	theirs := claimed(mine.Identity, "theirs", adopted, time.Hour)
	failing := func(verb string) clientgotesting.ReactionFunc {
		return func(action clientgotesting.Action) (bool, runtime.Object, error) {
			return action.GetVerb() == verb, nil, down
		}
	}
	for title, test := range map[string]struct {
		entries Entries
		verb    string
		lease   []runtime.Object
		want    string
	}{
		"the lease cannot be read":    {stored{}, "get", nil, "reading the claim on quay.io/acme/autosd:1: connection refused"},
		"the entry cannot be read":    {unreadable{down}, "", []runtime.Object{theirs}, `reading the entry "theirs", which holds the claim on quay.io/acme/autosd:1: connection refused`},
		"the lease cannot be created": {stored{}, "create", nil, "connection refused"},
		"the lease cannot be updated": {stored{}, "update", []runtime.Object{theirs}, "connection refused"},
	} {
		t.Run(title, func(t *testing.T) {
			k := newKeeper(t, test.entries, test.lease...)
			k.kube.PrependReactor("*", "leases", failing(test.verb))
			for _, change := range []func(context.Context, Claim) error{k.Take, k.Adopt} {
				err := change(t.Context(), mine)
				assert.EqualError(t, err, test.want)
				assert.ErrorIs(t, err, down)
			}
			if test.verb == "create" || test.verb == "update" {
				assert.NoError(t, k.Check(t.Context(), mine), "checking writes nothing")
				return
			}
			assert.EqualError(t, k.Check(t.Context(), mine), test.want)
		})
	}
}

func TestReleaseAll(t *testing.T) {
	const one, two, three = "quay.io/acme/autosd:1", "quay.io/acme/autosd:2", "quay.io/acme/autosd:3"
	for title, test := range map[string]struct {
		namespace, keep string
		want            []string // the identities that are still claimed
	}{
		"the entry is gone":                 {"radar", "", []string{two + " theirs", three + " mine"}},
		"the entry is of another image now": {"radar", one, []string{one + " mine", two + " theirs", three + " mine"}},
		"kept by somebody else":             {"radar", two, []string{two + " theirs", three + " mine"}},
		"an entry of that name elsewhere":   {"lidar", "", []string{one + " mine", two + " theirs", three + " mine"}},
	} {
		t.Run(title, func(t *testing.T) {
			k := newKeeper(t, stored{},
				claimed(one, "mine", adopted, time.Hour),
				claimed(two, "theirs", adopted, time.Hour),
				claimed(three, "mine", pending, 0), // a write may be under way
			)
			require.NoError(t, k.ReleaseAll(t.Context(), test.namespace, "mine", test.keep))
			left, err := k.kube.CoordinationV1().Leases(systemNamespace).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			var claims []string
			for _, lease := range left.Items {
				claims = append(claims, lease.Annotations[IdentityAnnotation]+" "+holder(&lease))
			}
			assert.ElementsMatch(t, test.want, claims)
		})
	}
}

func TestAReleaseIsOfTheClaimThatWasRead(t *testing.T) {
	k := newKeeper(t, stored{}, claimed(mine.Identity, "mine", adopted, time.Hour))
	require.NoError(t, k.ReleaseAll(t.Context(), "radar", "mine", ""))
	writes := k.writes()
	require.Len(t, writes, 1)
	uid, version := types.UID("uid-of-mine"), "7"
	assert.Equal(t, &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		writes[0].(clientgotesting.DeleteActionImpl).DeleteOptions.Preconditions)
}

func TestReleaseAllWhenTheAPIServerRefuses(t *testing.T) {
	leases := coordinationv1.Resource("leases")
	down := errors.New("connection refused")
	for title, test := range map[string]struct {
		verb  string
		fails error
		want  string
	}{
		"changed meanwhile":  {"delete", apierrors.NewConflict(leases, "x", errors.New("newer")), ""},
		"released meanwhile": {"delete", apierrors.NewNotFound(leases, "x"), ""},
		"not deleted":        {"delete", down, "connection refused\nconnection refused"},
		"not listed":         {"list", down, "listing the claims of radar/mine: connection refused"},
	} {
		t.Run(title, func(t *testing.T) {
			k := newKeeper(t, stored{},
				claimed("quay.io/acme/autosd:1", "mine", adopted, 0), claimed("quay.io/acme/autosd:2", "mine", adopted, 0))
			k.kube.PrependReactor(test.verb, "leases", func(clientgotesting.Action) (bool, runtime.Object, error) { return true, nil, test.fails })
			err := k.ReleaseAll(t.Context(), "radar", "mine", "")
			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, test.want)
		})
	}
}

// A claim's whole life, as the webhook and the controller lead it.
func TestAClaimFromCreateToDelete(t *testing.T) {
	entries := stored{}
	k := newKeeper(t, entries)
	theirs := mine
	theirs.Holder = "theirs"
	var held *HeldError
	var wait *PendingError

	require.NoError(t, k.Take(t.Context(), mine), "the webhook admits my entry")
	require.ErrorAs(t, k.Take(t.Context(), theirs), &wait, "whose write may be under way")
	entries["radar/mine"] = mine.Identity
	require.ErrorAs(t, k.Take(t.Context(), theirs), &held, "now it is stored")
	require.NoError(t, k.Adopt(t.Context(), mine), "the controller sees it")
	require.NoError(t, k.leases.Delete(t.Context(), mine.leaseName(), metav1.DeleteOptions{}), "somebody deletes the lease")
	require.NoError(t, k.Adopt(t.Context(), mine), "which heals")
	assertHeld(t, k.lease(t, mine), mine, adopted)

	delete(entries, "radar/mine")
	require.NoError(t, k.ReleaseAll(t.Context(), "radar", "mine", ""), "the controller sees that it is gone")
	assert.Nil(t, k.lease(t, mine))
	require.NoError(t, k.Take(t.Context(), theirs))
}

func TestTheClaimOfAnEntryIsThatOfItsReference(t *testing.T) {
	e := &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "mine"}, Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"}}
	ref, err := e.Spec.Reference()
	require.NoError(t, err)
	assert.Equal(t, mine, For(e, ref))
}
