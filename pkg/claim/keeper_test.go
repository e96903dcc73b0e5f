package claim

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	mine = Claim{Namespace: "radar", Holder: "mine", UID: "mine-1", Identity: "quay.io/acme/autosd:1"}
)

// stored are the entries of the API server: the identity by namespace and name. Each has the UID of its first create.
type stored map[string]string

func (s stored) Claim(_ context.Context, namespace, name string) (Claim, error) {
	identity, found := s[namespace+"/"+name]
	if !found {
		return Claim{}, nil
	}
	return Claim{Namespace: namespace, Holder: name, UID: first(name), Identity: identity}, nil
}

// with is a copy that holds the entry of a claim, too.
func (s stored) with(claims bool, claim Claim) stored {
	more := stored{}
	maps.Copy(more, s)
	if claims {
		more[claim.Namespace+"/"+claim.Holder] = claim.Identity
	}
	return more
}

func first(name string) types.UID { return types.UID(name + "-1") }

type unreadable struct{ error }

func (u unreadable) Claim(context.Context, string, string) (Claim, error) { return Claim{}, u.error }

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
	lease, err := k.kube.CoordinationV1().Leases(systemNamespace).Get(t.Context(), claim.LeaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(t, err)
	return lease
}

// adoptAtOnce is Adopt where nothing is to be waited for.
func (k testKeeper) adoptAtOnce(ctx context.Context, claim Claim) error {
	again, err := k.Adopt(ctx, claim, nil)
	if again != 0 {
		return fmt.Errorf("to be adopted in %s", again)
	}
	return err
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
	claim := Claim{Namespace: "radar", Holder: holder, UID: first(holder), Identity: identity}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: systemNamespace, Name: claim.LeaseName(), UID: types.UID("uid-of-" + holder), ResourceVersion: "7",
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
		"pending since a time that is years ahead":    {theirs(pending, -10000*time.Hour), nil, nil},
	} {
		for verb, to := range map[string]state{"Take": pending, "Adopt": adopted, "Check": ""} {
			t.Run(title+"/"+verb, func(t *testing.T) {
				var leases []runtime.Object
				if test.lease != nil {
					leases = append(leases, test.lease.DeepCopy())
				}
				k := newKeeper(t, test.entries, leases...)
				before := k.lease(t, mine)

				k.entries = test.entries.with(verb == "Adopt", mine) // what is adopted is stored
				err := map[string]func(context.Context, Claim) error{"Take": k.Take, "Adopt": k.adoptAtOnce, "Check": k.Check}[verb](t.Context(), mine)

				assert.Equal(t, test.refusal, err)
				if verb == "Check" {
					assert.Empty(t, k.writes())
				}
				if test.refusal != nil || verb == "Check" {
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
	assert.Equal(t, map[string]string{HolderLabel: HolderKey(types.NamespacedName{Namespace: claim.Namespace, Name: claim.Holder}), StateLabel: string(in)}, lease.Labels)
	assert.Equal(t, map[string]string{
		NamespaceAnnotation: claim.Namespace, IdentityAnnotation: claim.Identity, UIDAnnotation: string(claim.UID),
	}, lease.Annotations)
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
	require.NoError(t, k.adoptAtOnce(t.Context(), mine))
	assert.Empty(t, k.writes())
}

func TestEveryTakeIsACompareAndSwap(t *testing.T) {
	k := newKeeper(t, stored{}, claimed(mine.Identity, "theirs", adopted, time.Hour))
	require.NoError(t, k.Take(t.Context(), mine))
	writes := k.writes()
	require.Len(t, writes, 2, "a create, which etcd refuses, and an update")
	update, isUpdate := writes[1].(clientgotesting.UpdateAction)
	require.True(t, isUpdate, "%T", writes[1])
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
		for _, times := range []int{1, attempts - 1, 1000} {
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
				assert.LessOrEqual(t, tried, attempts+1, "it gives up")
				assert.EqualError(t, err, "claiming quay.io/acme/autosd:1: lost 8 races for it; try again")
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
		"the lease cannot be read":    {stored{}, "get", []runtime.Object{theirs}, "reading the claim on quay.io/acme/autosd:1: connection refused"},
		"the entry cannot be read":    {unreadable{down}, "", []runtime.Object{theirs}, `reading the entry "theirs", which holds the claim on quay.io/acme/autosd:1: connection refused`},
		"the lease cannot be created": {stored{"radar/mine": mine.Identity}, "create", nil, "writing the claim on quay.io/acme/autosd:1: connection refused"},
		"the lease cannot be updated": {stored{"radar/mine": mine.Identity}, "update", []runtime.Object{theirs}, "writing the claim on quay.io/acme/autosd:1: connection refused"},
	} {
		t.Run(title, func(t *testing.T) {
			k := newKeeper(t, test.entries, test.lease...)
			k.kube.PrependReactor("*", "leases", failing(test.verb))
			for _, change := range []func(context.Context, Claim) error{k.Take, k.adoptAtOnce} {
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

func TestTheUIDOfAPendingClaim(t *testing.T) {
	again := mine
	again.UID = "mine-2"
	several := mine
	several.UID = ""
	for title, test := range map[string]struct {
		lease *coordinationv1.Lease
		taken Claim // and then the claim is of
		want  Claim
	}{
		"the same admission, twice":                          {claimed(mine.Identity, "mine", pending, 0), mine, mine},
		"another create of that name":                        {claimed(mine.Identity, "mine", pending, 0), again, several},
		"another create, when the first has come to its end": {claimed(mine.Identity, "mine", adopted, 0), again, again},
		"another create, when the first can come no more":    {claimed(mine.Identity, "mine", pending, Grace), again, again},
		"what another left":                                  {claimed(mine.Identity, "theirs", pending, Grace), mine, mine},
	} {
		t.Run(title, func(t *testing.T) {
			k := newKeeper(t, stored{}, test.lease)
			require.NoError(t, k.Take(t.Context(), test.taken))
			assertHeld(t, k.lease(t, mine), test.want, pending)
		})
	}
	t.Run("a third create of that name", func(t *testing.T) {
		k := newKeeper(t, stored{})
		for _, uid := range []types.UID{"mine-1", "mine-2", "mine-1"} {
			claim := mine
			claim.UID = uid
			require.NoError(t, k.Take(t.Context(), claim))
		}
		assertHeld(t, k.lease(t, mine), several, pending)
	})
}

func TestAdoptionMendsALeaseThatWasTamperedWith(t *testing.T) {
	for title, tamper := range map[string]func(*coordinationv1.Lease){
		"without labels":        func(l *coordinationv1.Lease) { l.Labels = nil },
		"without annotations":   func(l *coordinationv1.Lease) { l.Annotations = nil },
		"indexed under another": func(l *coordinationv1.Lease) { l.Labels[HolderLabel] = "other" },
		"of another identity":   func(l *coordinationv1.Lease) { l.Annotations[IdentityAnnotation] = "quay.io/acme/other:1" },
		"of another namespace":  func(l *coordinationv1.Lease) { l.Annotations[NamespaceAnnotation] = "lidar" },
		"of nobody":             func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil },
		"of who is not there":   func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "nobody" },
	} {
		lease := claimed(mine.Identity, "mine", adopted, time.Hour)
		tamper(lease)
		k := newKeeper(t, stored{"radar/mine": mine.Identity}, lease)
		require.NoError(t, k.adoptAtOnce(t.Context(), mine), title)
		assertHeld(t, k.lease(t, mine), mine, adopted)
	}
}

func TestAdoptionWaitsForOtherCreatesOfTheName(t *testing.T) {
	exists := stored{"radar/mine": mine.Identity} // as mine-1
	for title, test := range map[string]struct {
		taken types.UID
		ago   time.Duration
		again time.Duration
	}{
		"the entry's own":                   {"mine-1", 0, 0},
		"another's":                         {"mine-2", 20 * time.Second, 40 * time.Second},
		"several":                           {"", 0, Grace},
		"another's, which can come no more": {"mine-2", Grace, 0},
		"several, none of which can come":   {"", time.Hour, 0},
	} {
		t.Run(title, func(t *testing.T) {
			lease := claimed(mine.Identity, "mine", pending, test.ago)
			lease.Annotations[UIDAnnotation] = string(test.taken)
			k := newKeeper(t, exists, lease)
			again, err := k.Adopt(t.Context(), mine, nil)
			require.NoError(t, err)
			assert.Equal(t, test.again, again)
			if test.again > 0 {
				assert.Empty(t, k.writes())
				return
			}
			assertHeld(t, k.lease(t, mine), mine, adopted)
		})
	}
}

func TestAKnownClaimIsAdoptedWithoutReadingIt(t *testing.T) {
	older := claimed(mine.Identity, "mine", pending, 0)
	older.ResourceVersion = "6"
	for title, test := range map[string]struct {
		known *coordinationv1.Lease
		calls []string
	}{
		"as it is":       {claimed(mine.Identity, "mine", pending, 0), []string{"update"}},
		"as it was":      {older, []string{"update", "get", "update"}},
		"when another's": {claimed(mine.Identity, "theirs", pending, 0), []string{"get", "update"}},
		"not known":      {nil, []string{"get", "update"}},
	} {
		t.Run(title, func(t *testing.T) {
			k := newKeeper(t, stored{"radar/mine": mine.Identity}, claimed(mine.Identity, "mine", pending, 0))
			k.kube.PrependReactor("update", "leases", func(action clientgotesting.Action) (bool, runtime.Object, error) {
				written := action.(clientgotesting.UpdateAction).GetObject().(*coordinationv1.Lease)
				conflict := apierrors.NewConflict(coordinationv1.Resource("leases"), written.Name, errors.New("newer"))
				return written.ResourceVersion != "7", nil, conflict
			})
			before := test.known.DeepCopy()
			again, err := k.Adopt(t.Context(), mine, test.known)
			require.NoError(t, err)
			assert.Zero(t, again)
			var calls []string
			for _, action := range k.kube.Actions() {
				calls = append(calls, action.GetVerb())
			}
			assert.Equal(t, test.calls, calls)
			assert.Equal(t, before, test.known, "what is in a cache is everybody's")
			assertHeld(t, k.lease(t, mine), mine, adopted)
		})
	}
}

func TestWhatIsNoLongerThereIsNotAdopted(t *testing.T) {
	for title, entries := range map[string]stored{
		"deleted":          {},
		"of another image": {"radar/mine": "quay.io/acme/autosd:2"},
	} {
		for lease, leases := range map[string][]runtime.Object{
			"no claim":                nil,
			"pending":                 {claimed(mine.Identity, "mine", pending, 0)},
			"what somebody else left": {claimed(mine.Identity, "theirs", adopted, 0)},
		} {
			k := newKeeper(t, entries, leases...)
			require.NoError(t, k.adoptAtOnce(t.Context(), mine), title)
			assert.Empty(t, k.writes(), "%s, %s", title, lease)
		}
	}
}

func TestRelease(t *testing.T) {
	const one, two, three, four = "quay.io/acme/autosd:1", "quay.io/acme/autosd:2", "quay.io/acme/autosd:3", "quay.io/acme/autosd:4"
	held := []*coordinationv1.Lease{
		claimed(one, "mine", adopted, time.Hour),
		claimed(two, "mine", pending, 0), // a write may be under way
		claimed(three, "mine", pending, 20*time.Second),
		claimed(four, "mine", pending, Grace),
	}
	misfiled := claimed(one, "theirs", adopted, time.Hour) // found by a label of mine
	another := claimed(two, "mine", pending, 0)
	another.Annotations[UIDAnnotation] = "mine-2"
	for title, test := range map[string]struct {
		held     []*coordinationv1.Lease
		entries  stored
		keep     string
		gone     types.UID
		released []string // identities
		again    time.Duration
	}{
		"the entry was never stored, or is gone":        {held, nil, "", "", []string{one, four}, 40 * time.Second},
		"the entry was stored and is gone":              {held, nil, "", "mine-1", []string{one, two, three, four}, 0},
		"another create of the name is under way":       {[]*coordinationv1.Lease{another}, nil, "", "mine-1", nil, Grace},
		"the entry is of another image now":             {held[:2], stored{"radar/mine": two}, two, "", []string{one}, 0},
		"the entry is back, which the caller missed":    {held, stored{"radar/mine": one}, "", "", []string{four}, 40 * time.Second},
		"kept, although the entry seems to have it not": {held[:1], nil, one, "", nil, 0},
		"a claim of another, under the wrong label":     {[]*coordinationv1.Lease{misfiled}, nil, "", "", nil, 0},
		"nothing is held":                               {nil, nil, "", "", nil, 0},
	} {
		t.Run(title, func(t *testing.T) {
			var leases []runtime.Object
			left := map[string]bool{}
			for _, lease := range test.held {
				leases = append(leases, lease.DeepCopy())
				left[lease.Annotations[IdentityAnnotation]] = true
			}
			k := newKeeper(t, test.entries, leases...)
			again, err := k.Release(t.Context(), test.held, types.NamespacedName{Namespace: "radar", Name: "mine"}, test.keep, test.gone)
			require.NoError(t, err)
			assert.Equal(t, test.again, again)
			for _, identity := range test.released {
				delete(left, identity)
			}
			for identity := range left {
				assert.NotNil(t, k.lease(t, Claim{Namespace: "radar", Identity: identity}), identity)
			}
			assert.Len(t, k.writes(), len(test.released))
		})
	}
}

func TestAReleaseIsOfTheClaimThatWasRead(t *testing.T) {
	lease := claimed(mine.Identity, "mine", adopted, time.Hour)
	k := newKeeper(t, stored{}, lease)
	_, err := k.Release(t.Context(), []*coordinationv1.Lease{lease}, types.NamespacedName{Namespace: "radar", Name: "mine"}, "", "")
	require.NoError(t, err)
	writes := k.writes()
	require.Len(t, writes, 1)
	uid, version := types.UID("uid-of-mine"), "7"
	assert.Equal(t, &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		writes[0].(clientgotesting.DeleteActionImpl).DeleteOptions.Preconditions)
}

func TestReleaseWhenTheAPIServerRefuses(t *testing.T) {
	leases := coordinationv1.Resource("leases")
	down := errors.New("connection refused")
	for title, test := range map[string]struct {
		entries Entries
		fails   error
		want    string
	}{
		"changed meanwhile":  {stored{}, apierrors.NewConflict(leases, "x", errors.New("newer")), ""},
		"released meanwhile": {stored{}, apierrors.NewNotFound(leases, "x"), ""},
		"not deleted":        {stored{}, down, "connection refused\nconnection refused"},
		"the entry cannot be read": {unreadable{down}, nil, `reading the entry "mine", which holds the claim on quay.io/acme/autosd:1: connection refused` + "\n" +
			`reading the entry "mine", which holds the claim on quay.io/acme/autosd:2: connection refused`},
	} {
		t.Run(title, func(t *testing.T) {
			held := []*coordinationv1.Lease{claimed("quay.io/acme/autosd:1", "mine", adopted, 0), claimed("quay.io/acme/autosd:2", "mine", adopted, 0)}
			k := newKeeper(t, test.entries, held[0].DeepCopy(), held[1].DeepCopy())
			k.kube.PrependReactor("delete", "leases", func(clientgotesting.Action) (bool, runtime.Object, error) { return test.fails != nil, nil, test.fails })
			_, err := k.Release(t.Context(), held, types.NamespacedName{Namespace: "radar", Name: "mine"}, "", "")
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
	require.NoError(t, k.adoptAtOnce(t.Context(), mine), "the controller sees it")
	require.NoError(t, k.leases.Delete(t.Context(), mine.LeaseName(), metav1.DeleteOptions{}), "somebody deletes the lease")
	require.NoError(t, k.adoptAtOnce(t.Context(), mine), "which heals")
	assertHeld(t, k.lease(t, mine), mine, adopted)

	delete(entries, "radar/mine")
	_, err := k.Release(t.Context(), []*coordinationv1.Lease{k.lease(t, mine)}, types.NamespacedName{Namespace: "radar", Name: "mine"}, "", "")
	require.NoError(t, err, "the controller sees that it is gone")
	assert.Nil(t, k.lease(t, mine))
	require.NoError(t, k.Take(t.Context(), theirs))
}

func TestTheClaimOfAnEntryIsThatOfItsReference(t *testing.T) {
	e := &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "mine", UID: "mine-1"}, Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"}}
	ref, err := e.Spec.Reference()
	require.NoError(t, err)
	assert.Equal(t, mine, For(e, ref))
}
