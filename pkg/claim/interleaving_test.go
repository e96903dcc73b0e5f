package claim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// The promise of the package, held against many small worlds: creates, updates and deletes of a few names and
// images, and a controller that sees all of it late, interleaved at random between any two requests to the API server.
// Each world is a function of its seed.
func TestNoInterleavingStoresTwoEntriesOfOneImage(t *testing.T) {
	const worlds = 20000
	outcomes := map[string]int{}
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		w.run()
		require.Empty(t, w.broken, "seed %d:\n%s", seed, w.history)
		for _, outcome := range w.outcomes {
			outcomes[outcome]++
		}
	}
	// A world in which nothing happens proves nothing.
	for _, outcome := range []string{"created", "updated", "deleted", "held", "pending", "timed out", "exists already", "adopted", "released", "to be adopted later"} {
		require.Greater(t, outcomes[outcome], worlds/50, "%s: %v", outcome, outcomes)
	}
}

// requestTimeout is that of the API server, for the whole of a write.
const requestTimeout = 34 * time.Second

// world is an API server, its clients, and a clock.
type world struct {
	random   *rand.Rand
	now      time.Time
	versions int
	leases   map[string]*coordinationv1.Lease
	past     []*coordinationv1.Lease // every version of every lease
	entries  map[string]storedEntry  // by name
	seen     []storedEntry           // all that was ever stored, for a controller that sees it late
	deleted  map[types.UID]bool
	keeper   *Keeper

	parked   chan *client
	outcomes []string
	history  string
	broken   string
}

type storedEntry struct {
	Claim
	version int
}

// client is a goroutine that runs only while the world waits for it.
type client struct {
	resume chan struct{}
	done   bool
}

type clientKey struct{}

func newWorld(seed uint64) *world {
	w := &world{
		random: rand.New(rand.NewPCG(seed, 1)), now: now, parked: make(chan *client),
		leases: map[string]*coordinationv1.Lease{}, entries: map[string]storedEntry{}, deleted: map[types.UID]bool{},
	}
	w.keeper = &Keeper{leases: worldLeases{w: w}, entries: w, now: func() time.Time { return w.now }}
	return w
}

// run lets one client at a time go on to its next request, until all are done.
func (w *world) run() {
	var waiting []*client
	for _, do := range w.clients() {
		waiting = append(waiting, w.start(do))
	}
	for len(waiting) > 0 && w.broken == "" {
		if w.random.IntN(20) == 0 {
			w.now = w.now.Add(time.Duration(w.random.IntN(20)) * time.Second)
		}
		n := w.random.IntN(len(waiting))
		waiting[n].resume <- struct{}{}
		if next := <-w.parked; next.done {
			waiting = slices.Delete(waiting, n, n+1)
		}
	}
}

func (w *world) start(do func(context.Context)) *client {
	c := &client{resume: make(chan struct{})}
	go func() {
		<-c.resume
		do(context.WithValue(context.Background(), clientKey{}, c))
		c.done = true
		w.parked <- c
	}()
	return c
}

// request is where another client may come first.
func (w *world) request(ctx context.Context) {
	c := ctx.Value(clientKey{}).(*client)
	w.parked <- c
	<-c.resume
}

func (w *world) clients() []func(context.Context) {
	var clients []func(context.Context)
	for range 5 + w.random.IntN(10) {
		name, identity := w.pick("a", "a", "b", "c"), w.pick("x", "x", "x", "y")
		clients = append(clients, []func(context.Context){
			func(ctx context.Context) { w.create(ctx, name, identity) },
			func(ctx context.Context) { w.create(ctx, name, identity) },
			func(ctx context.Context) { w.create(ctx, name, identity) },
			func(ctx context.Context) { w.update(ctx, name, identity) },
			func(ctx context.Context) { w.update(ctx, name, identity) },
			func(ctx context.Context) { w.delete(ctx, name) },
			func(ctx context.Context) { w.delete(ctx, name) },
		}[w.random.IntN(7)])
	}
	for range 8 {
		clients = append(clients, w.adopt, w.release)
	}
	return clients
}

func (w *world) pick(from ...string) string { return from[w.random.IntN(len(from))] }

func (w *world) note(outcome string, claim Claim) {
	w.outcomes = append(w.outcomes, outcome)
	w.history += fmt.Sprintf("%4.0f s  %-20s %s (%s) %s\n", w.now.Sub(now).Seconds(), outcome, claim.Holder, claim.UID, claim.Identity)
}

// admitted takes the claim as the webhook does, and says whether the write may go on.
func (w *world) admitted(ctx context.Context, claim Claim) bool {
	switch err := w.keeper.Take(ctx, claim).(type) { //nolint:errorlint // Take returns these two bare, which is promised
	case nil:
		w.note("admitted", claim)
		return true
	case *HeldError:
		w.note("held", claim)
	case *PendingError:
		w.note("pending", claim)
	default:
		w.broken = err.Error()
	}
	return false
}

func (w *world) create(ctx context.Context, name, identity string) {
	began := w.now
	w.versions++
	claim := Claim{Namespace: "radar", Holder: name, UID: types.UID(fmt.Sprintf("%s-%d", name, w.versions)), Identity: identity}
	if !w.admitted(ctx, claim) {
		return
	}
	w.request(ctx)
	_, exists := w.entries[name]
	switch {
	case w.now.Sub(began) > requestTimeout:
		w.note("timed out", claim)
	case exists:
		w.note("exists already", claim)
	default:
		w.store("created", claim)
	}
}

func (w *world) update(ctx context.Context, name, identity string) {
	w.request(ctx)
	began := w.now
	before, exists := w.entries[name]
	if !exists {
		return
	}
	claim := before.Claim
	claim.Identity = identity
	if before.Claim != claim && !w.admitted(ctx, claim) {
		return
	}
	w.request(ctx)
	switch {
	case w.now.Sub(began) > requestTimeout:
		w.note("timed out", claim)
	case w.entries[name] != before:
		w.note("conflict", claim)
	default:
		w.store("updated", claim)
	}
}

func (w *world) store(verb string, claim Claim) {
	w.note(verb, claim)
	for name, other := range w.entries {
		if name != claim.Holder && other.Identity == claim.Identity {
			w.broken = fmt.Sprintf("%s and %s are both of %s", name, claim.Holder, claim.Identity)
		}
	}
	w.versions++
	entry := storedEntry{claim, w.versions}
	w.entries[claim.Holder] = entry
	w.seen = append(w.seen, entry)
}

func (w *world) delete(ctx context.Context, name string) {
	w.request(ctx)
	if entry, exists := w.entries[name]; exists {
		w.note("deleted", entry.Claim)
		delete(w.entries, name)
		w.deleted[entry.UID] = true
	}
}

// adopt is the controller's, of anything that it has ever seen stored, with the claim as it was at any time, or unknown.
func (w *world) adopt(ctx context.Context) {
	w.request(ctx)
	if len(w.seen) == 0 {
		return
	}
	claim := w.seen[w.random.IntN(len(w.seen))].Claim
	known := slices.DeleteFunc(slices.Clone(w.past), func(l *coordinationv1.Lease) bool { return l.Name != claim.LeaseName() })
	known = append(known, nil)
	again, err := w.keeper.Adopt(ctx, claim, known[w.random.IntN(len(known))])
	switch {
	case err != nil: // held or pending
	case again > 0:
		w.note("to be adopted later", claim)
	default:
		w.note("adopted", claim)
	}
}

// release is the controller's, of what it saw of the leases a while ago.
func (w *world) release(ctx context.Context) {
	w.request(ctx)
	name := w.pick("a", "b", "c")
	held := map[string]*coordinationv1.Lease{}
	var gone types.UID
	for key, lease := range w.leases {
		if holder(lease) == name {
			held[key] = lease.DeepCopy()
		}
	}
	for _, entry := range w.seen {
		if entry.Holder == name && w.deleted[entry.UID] {
			gone = entry.UID
		}
	}
	w.request(ctx)
	before := len(w.leases)
	_, err := w.keeper.Release(ctx, slices.Collect(maps.Values(held)), types.NamespacedName{Namespace: "radar", Name: name}, "", gone)
	if err == nil && len(w.leases) < before {
		w.note("released", Claim{Holder: name, UID: gone})
	}
}

// Claim implements Entries.
func (w *world) Claim(ctx context.Context, _, name string) (Claim, error) {
	w.request(ctx)
	return w.entries[name].Claim, nil
}

// worldLeases are the leases of a world; what the keeper does not call is not there.
type worldLeases struct {
	coordinationclient.LeaseInterface
	w *world
}

var leaseResource = coordinationv1.Resource("leases")

func (l worldLeases) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	l.w.request(ctx)
	if lease, found := l.w.leases[name]; found {
		return lease.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(leaseResource, name)
}

func (l worldLeases) Create(ctx context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	l.w.request(ctx)
	if _, found := l.w.leases[lease.Name]; found {
		return nil, apierrors.NewAlreadyExists(leaseResource, lease.Name)
	}
	created := l.put(lease)
	created.UID = types.UID("lease-" + created.ResourceVersion)
	return created.DeepCopy(), nil
}

func (l worldLeases) Update(ctx context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	l.w.request(ctx)
	stored, found := l.w.leases[lease.Name]
	if !found {
		return nil, apierrors.NewNotFound(leaseResource, lease.Name)
	}
	if stored.ResourceVersion != lease.ResourceVersion {
		return nil, apierrors.NewConflict(leaseResource, lease.Name, fmt.Errorf("changed"))
	}
	return l.put(lease).DeepCopy(), nil
}

func (l worldLeases) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	l.w.request(ctx)
	stored, found := l.w.leases[name]
	if !found {
		return apierrors.NewNotFound(leaseResource, name)
	}
	if p := options.Preconditions; *p.UID != stored.UID || *p.ResourceVersion != stored.ResourceVersion {
		return apierrors.NewConflict(leaseResource, name, fmt.Errorf("changed"))
	}
	delete(l.w.leases, name)
	return nil
}

func (l worldLeases) put(lease *coordinationv1.Lease) *coordinationv1.Lease {
	stored := lease.DeepCopy()
	l.w.versions++
	stored.ResourceVersion = fmt.Sprint(l.w.versions)
	l.w.leases[stored.Name] = stored
	l.w.past = append(l.w.past, stored.DeepCopy())
	return stored
}
