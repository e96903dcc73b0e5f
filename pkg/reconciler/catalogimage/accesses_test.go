package catalogimage

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/tally"
)

const accessed = types.UID("1")

// shelf is an entry with those who count its accesses and those who sum them up.
type shelf struct {
	t       *testing.T
	stored  *v1alpha1.CatalogImage
	cache   cache.Store // of what is stored
	running map[string]int64
	started int
	deaf    string // a replica that does not answer
	clock   time.Time
	due     []types.NamespacedName
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{t: t, stored: entry(), cache: cache.NewStore(cache.MetaNamespaceKeyFunc), running: map[string]int64{}, clock: now}
	s.stored.UID = accessed
	s.store(s.stored)
	return s
}

// controller is a new one, which leads.
func (s *shelf) controller() *accesses {
	a := &accesses{
		read: s.read, entries: s.cache, now: func() time.Time { return s.clock },
		enqueue: func(entry types.NamespacedName) { s.due = append(s.due, entry) },
	}
	a.promoted(reconciler.UniversalBucket())
	return a
}

func (s *shelf) read(context.Context) (read []tally.Tally, all bool) {
	for name, count := range s.running {
		if name != s.deaf {
			read = append(read, tally.Tally{Replica: name, Counts: map[types.UID]int64{accessed: count, "another": 1}})
		}
	}
	return read, s.running[s.deaf] == 0
}

func (s *shelf) start() {
	s.started++
	s.running[fmt.Sprintf("replica-%d", s.started)] = 0
}

func (s *shelf) store(entry *v1alpha1.CatalogImage) {
	s.stored = entry
	require.NoError(s.t, s.cache.Add(entry))
}

// write is a write of the status by a controller, with a check or not.
func (s *shelf) write(by *accesses, checked bool) int64 {
	entry := s.stored.DeepCopy()
	by.fold(entry, checked)
	s.store(entry)
	return entry.Status.AccessCount
}

func TestCountsAreFoldedIntoAWriteThatIsMadeAnyway(t *testing.T) {
	s := newShelf(t)
	a := s.controller()
	s.running = map[string]int64{"a": 2, "b": 1}
	assert.Zero(t, s.write(a, true), "nothing is read yet")
	a.poll(t.Context())
	assert.Zero(t, s.write(a, false), "there is no write")
	assert.Equal(t, int64(3), s.write(a, true))
	a.poll(t.Context())
	assert.Equal(t, int64(3), s.write(a, true))
	s.running["a"] = 5
	a.poll(t.Context())
	assert.Equal(t, int64(6), s.write(a, true))
	assert.Empty(t, s.due)
}

func TestCountsThatWaitForADayHaveAWriteOfTheirOwn(t *testing.T) {
	s := newShelf(t)
	a := s.controller()
	s.running = map[string]int64{"a": 2}
	a.poll(t.Context())
	s.clock = now.Add(foldWithin - time.Second)
	a.poll(t.Context())
	assert.Empty(t, s.due)
	s.clock = now.Add(foldWithin)
	a.poll(t.Context())
	assert.Equal(t, []types.NamespacedName{it}, s.due)
	assert.Equal(t, int64(2), s.write(a, false))

	s.clock = now.Add(3 * foldWithin)
	a.poll(t.Context())
	s.running["a"] = 3
	a.poll(t.Context())
	assert.Len(t, s.due, 1, "what is new waits from now on")
	assert.Equal(t, int64(2), s.write(a, false))
}

func TestARestartOfTheControllerLosesNothing(t *testing.T) {
	s := newShelf(t)
	s.running = map[string]int64{"a": 2, "b": 1}
	first := s.controller()
	first.poll(t.Context())
	require.Equal(t, int64(3), s.write(first, true))
	s.running["b"] = 4
	first.poll(t.Context()) // and ends, before it is written

	second := s.controller()
	second.poll(t.Context())
	assert.Equal(t, int64(6), s.write(second, true))
}

func TestWhatWasReadOfAReplicaIsCountedAlthoughItEnded(t *testing.T) {
	s := newShelf(t)
	a := s.controller()
	s.running = map[string]int64{"a": 2, "b": 1}
	a.poll(t.Context())
	s.running = map[string]int64{"c": 1}
	for range 3 {
		a.poll(t.Context())
	}
	assert.Equal(t, int64(4), s.write(a, true))
	assert.Len(t, s.stored.Status.AccessReadings, 3, "what is known of them must not be added again")

	a.poll(t.Context())
	assert.Equal(t, []string{"c"}, slices.Collect(maps.Keys(a.counted)), "they are known no more")
	assert.Equal(t, int64(4), s.write(a, true))
	assert.Equal(t, []v1alpha1.AccessReading{{Replica: "c", Count: 1}}, s.stored.Status.AccessReadings)
}

func TestAReplicaThatDoesNotAnswerHasNotEnded(t *testing.T) {
	s := newShelf(t)
	first := s.controller()
	s.running = map[string]int64{"a": 2, "b": 1}
	first.poll(t.Context())
	s.write(first, true)
	second := s.controller() // which knows nothing of it
	s.deaf = "a"
	second.poll(t.Context())
	assert.Equal(t, int64(3), s.write(second, true))
	s.deaf = ""
	second.poll(t.Context())
	assert.Equal(t, int64(3), s.write(second, true))
}

// What another controller lets go of, while this one does not lead, must not be known here.
func TestWhoComesToLeadReadsAnew(t *testing.T) {
	s := newShelf(t)
	a, other := s.controller(), s.controller()
	s.running = map[string]int64{"a": 2}
	term, _ := a.standing()
	read, all := a.read(t.Context())
	a.poll(t.Context())
	a.demoted(reconciler.UniversalBucket())
	other.poll(t.Context())
	s.write(other, true)
	s.running = map[string]int64{}
	for range 2 {
		other.poll(t.Context())
		require.Equal(t, int64(2), s.write(other, true))
	}
	require.Empty(t, s.stored.Status.AccessReadings)

	s.running = map[string]int64{"b": 1}
	a.poll(t.Context())
	assert.Empty(t, a.counted, "it does not lead")
	a.promoted(reconciler.UniversalBucket())
	a.take(term, read, all) // an answer that was long under way
	assert.Equal(t, int64(2), s.write(a, true))
	a.poll(t.Context())
	assert.Equal(t, int64(3), s.write(a, true))
}

func TestReplicasWithoutEndAreNotKept(t *testing.T) {
	s := newShelf(t)
	a := s.controller()
	for range 10 * v1alpha1.MaxAccessReadings {
		s.running = map[string]int64{}
		s.start()
		s.running[fmt.Sprintf("replica-%d", s.started)] = 1
		a.poll(t.Context())
		assert.LessOrEqual(t, len(a.counted), v1alpha1.MaxAccessReadings)
	}
	s.write(a, true)
	assert.LessOrEqual(t, len(s.stored.Status.AccessReadings), v1alpha1.MaxAccessReadings)
}

// Replicas start, count, fall silent and end, and controllers read, write, restart and take over, in any order. One of
// them may write a status that is older than what is stored. Nothing is counted twice; and with one controller, whose
// writes are all stored, nothing is lost but what a replica counted since it was last read.
func TestCountsInAnyOrder(t *testing.T) {
	for _, single := range []bool{true, false} {
		for seed := range uint64(300) {
			walk := &accessWalk{shelf: newShelf(t), random: rand.New(rand.NewPCG(seed, 0)), single: single, last: map[string]int64{}}
			walk.leader = walk.controller()
			for step := range 300 {
				walk.step()
				require.LessOrEqual(t, walk.stored.Status.AccessCount, walk.truth, "seed %d, step %d", seed, step)
			}
			walk.deaf = ""
			walk.poll()
			got := walk.write(walk.leader, true)
			if single {
				require.Equal(t, walk.truth-walk.lost, got, "seed %d", seed)
			}
		}
	}
}

type accessWalk struct {
	*shelf
	random *rand.Rand
	single bool
	leader *accesses
	older  *v1alpha1.CatalogImage
	last   map[string]int64 // the last readings
	truth  int64            // accesses there were
	lost   int64            // of them on replicas that ended before they were read
}

func (w *accessWalk) any() string {
	names := slices.Sorted(maps.Keys(w.running))
	if len(names) == 0 {
		return ""
	}
	return names[w.random.IntN(len(names))]
}

func (w *accessWalk) poll() {
	for name, count := range w.running {
		if name != w.deaf {
			w.last[name] = count
		}
	}
	w.leader.poll(w.t.Context())
}

func (w *accessWalk) step() {
	one := w.any()
	switch choice := w.random.IntN(16); {
	case choice < 4 && one != "":
		w.running[one]++
		w.truth++
	case choice < 7:
		w.poll()
	case choice < 9:
		w.older = w.stored
		w.write(w.leader, true)
	case choice == 9 && len(w.running) < 3:
		w.start()
	case choice == 10 && one != "":
		w.lost += w.running[one] - w.last[one]
		delete(w.running, one)
	case choice == 11:
		w.deaf = one
	case choice == 12:
		w.deaf = ""
	case choice == 13 && !w.single:
		w.leader = w.controller()
	case choice == 14 && !w.single && w.older != nil:
		entry := w.older.DeepCopy()
		w.leader.fold(entry, true)
		w.store(entry)
	}
}
