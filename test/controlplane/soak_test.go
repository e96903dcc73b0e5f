//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// Entries come, change and go, tags are moved and images deleted, while one registry after the other has a fault. In the
// end every entry is right, and nothing is left of those that went. SOAK=20m makes it long, and SOAK_SEED repeats one.
//
// A long one runs by itself, so it can tell what leaks: what is kept by entries that stay adds up while it runs, and what is
// kept of those that went is more in the end than after a quarter of it, when all entries are deleted at both times. Then the
// size of those that there are hides nothing.
func TestSoak(t *testing.T) {
	text := os.Getenv("SOAK")
	if text == "" {
		s := newSoak(t, 100, seedOf(t))
		s.run(t, 20*time.Second)
		t.Parallel() // what follows only waits, as other tests do
		s.assertRight(t)
		return
	}
	lasts, err := time.ParseDuration(text)
	require.NoError(t, err, "SOAK is how long: 20m, for example")
	enableProfiles(t)
	s := newSoak(t, 1000, seedOf(t))
	s.fill(t)
	s.run(t, lasts/4)
	s.assertRight(t)
	before := s.leave(t, "before")
	s.publishAll(t)
	figures := watchProcesses(t, lasts/samplesOfSoak)
	s.run(t, 3*lasts/4)
	for process, taken := range figures() {
		assertFlat(t, process, taken)
	}
	s.assertRight(t)
	for process, after := range s.leave(t, "after") {
		assertNothingLeft(t, process, before[process], after)
	}
}

// samplesOfSoak are taken, at equal distances.
const samplesOfSoak = 40

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "SOAK_SEED is the number that a soak logs")
	}
	t.Logf("SOAK_SEED=%d", seed)
	return seed
}

// soak is a number of tags, each with an entry or without, and what is known of them.
type soak struct {
	random     *rand.Rand
	published  *vigil
	entries    catalogclient.CatalogImageInterface
	registries []*troubled
	images     []v1.Image
	tags       []*soakedTag
	named      int // so many names were given to tags
	faults     int // so many were injected
}

// soakedTag is what an entry has to say in the end.
type soakedTag struct {
	registry *troubled
	name     string
	stored   bool   // there is an entry
	digest   string // in the registry; "" without one
	channel  string
}

func (s *soakedTag) direct() name.Tag { return s.registry.direct.Tag(s.name) }
func (s *soakedTag) entry() string    { return "autosd-" + s.name }

func newSoak(t *testing.T, size int, seed uint64) *soak {
	t.Helper()
	s := &soak{random: rand.New(rand.NewPCG(seed, 0)), published: newVigil(t)}
	s.entries = catalog.ImagecatalogV1alpha1().CatalogImages(s.published.namespace)
	for range 4 {
		s.registries = append(s.registries, newTroubled(t))
		image, err := random.Image(512, 2)
		require.NoError(t, err)
		s.images = append(s.images, image)
	}
	for n := range size {
		s.tags = append(s.tags, &soakedTag{registry: s.registries[n%len(s.registries)]})
	}
	s.publishAll(t)
	return s
}

// publishAll publishes what is not, and waits until all is found.
func (s *soak) publishAll(t *testing.T) {
	t.Helper()
	for _, tag := range s.tags {
		if tag.digest == "" {
			s.move(t, tag)
		}
		if !tag.stored {
			s.publishNew(t, tag)
		}
	}
	s.published.await(t, len(s.tags), isAvailable)
}

// mostKeys is how many keys knative remembers to be of which bucket of the election (hash.BucketSet, 0.5 MB), and how many
// entries client-go's recorder, about which knative had an Event of a failure (record.EventCorrelator, 3 MB and more). Beside
// connections and series of metrics nothing else outlasts entries. The soak has fewer, and would fill them to its end.
const mostKeys = 4096

// fill publishes so many entries and deletes them at once, which fails the reconciliations that are under way.
func (s *soak) fill(t *testing.T) {
	t.Helper()
	eachOf(t, mostKeys, func(ctx context.Context, n int) error {
		tag := fmt.Sprintf("filling-%d", n)
		if _, err := s.entries.Create(ctx, newEntry(tag, s.registries[0].tagged(tag)), metav1.CreateOptions{}); err != nil {
			return err
		}
		return s.entries.Delete(ctx, tag, metav1.DeleteOptions{})
	})
}

// run changes one thing after the other until the time is over. Then no registry has a fault.
func (s *soak) run(t *testing.T, lasts time.Duration) {
	t.Helper()
	changes := 0
	var fault time.Time // when the next is due
	for end := time.Now().Add(lasts); time.Now().Before(end); changes++ {
		if time.Now().After(fault) {
			s.trouble()
			fault = time.Now().Add(time.Duration(s.random.Int64N(int64(lasts / 30))))
		}
		s.change(t, s.tags[s.random.IntN(len(s.tags))])
		sleepUntil(t, time.Now().Add(100*time.Millisecond))
	}
	for _, registry := range s.registries {
		registry.Inject()
	}
	t.Logf("%d changes to %d entries, faults so far: %d", changes, len(s.tags), s.faults)
}

// trouble gives one of the registries a fault, or takes it away.
func (s *soak) trouble() {
	registry := s.registries[s.random.IntN(len(s.registries))]
	names := slices.Sorted(maps.Keys(troubles))
	if n := s.random.IntN(len(names) * 3 / 2); n < len(names) {
		registry.Inject(troubles[names[n]])
		s.faults++
		return
	}
	registry.Inject()
}

// change does something to a tag or to its entry.
func (s *soak) change(t *testing.T, tag *soakedTag) {
	t.Helper()
	changes := []func(*testing.T, *soakedTag){s.move, s.remove}
	if tag.stored {
		changes = append(changes, s.update, s.delete)
	} else {
		changes = append(changes, s.publish, s.publishNew) // so that there is one for most
	}
	changes[s.random.IntN(len(changes))](t, tag)
}

// move has the tag name any of the images.
func (s *soak) move(t *testing.T, tag *soakedTag) {
	t.Helper()
	image := s.images[s.random.IntN(len(s.images))]
	require.NoError(t, remote.Write(tag.direct(), image))
	digest, err := image.Digest()
	require.NoError(t, err)
	tag.digest = digest.String()
}

func (s *soak) remove(t *testing.T, tag *soakedTag) {
	t.Helper()
	if tag.digest != "" {
		require.NoError(t, remote.Delete(tag.direct()))
		tag.digest = ""
	}
}

func (s *soak) publish(t *testing.T, tag *soakedTag) {
	t.Helper()
	entry := newEntry(tag.entry(), tag.registry.tagged(tag.name))
	entry.Spec.CheckInterval = &metav1.Duration{Duration: v1alpha1.MinCheckInterval}
	_, err := s.entries.Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)
	tag.stored, tag.channel = true, ""
}

// publishNew is for a tag and an entry whose names were never there: what is kept by name finds no end otherwise.
func (s *soak) publishNew(t *testing.T, tag *soakedTag) {
	t.Helper()
	tag.name, tag.digest = fmt.Sprint(s.named), ""
	s.named++
	s.move(t, tag)
	s.publish(t, tag)
}

func (s *soak) update(t *testing.T, tag *soakedTag) {
	t.Helper()
	tag.channel = fmt.Sprintf("channel-%d", s.random.IntN(10))
	patch := mustJSON(t, map[string]any{"spec": map[string]any{"channel": tag.channel}})
	_, err := s.entries.Patch(t.Context(), tag.entry(), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(t, err)
}

func (s *soak) delete(t *testing.T, tag *soakedTag) {
	t.Helper()
	require.NoError(t, s.entries.Delete(t.Context(), tag.entry(), metav1.DeleteOptions{}))
	tag.stored = false
}

// settling is for the last connections to be closed, which are kept for 90 s, and for what was to be checked again to come up
// for it once more.
const settling = 2 * time.Minute

// leave deletes all entries, and gives what each process holds when nothing more is done.
func (s *soak) leave(t *testing.T, moment string) map[string]held {
	t.Helper()
	for _, tag := range s.tags {
		if tag.stored {
			s.delete(t, tag)
		}
	}
	assert.Eventually(t, func() bool { return len(claimsIn(t, s.published.namespace)) == 0 }, 2*time.Minute, time.Second)
	sleepUntil(t, time.Now().Add(settling))
	keepProfiles(t, moment)
	return measureAll(t)
}

// assertRight waits until each entry says what its registry has. Nobody asks for that.
func (s *soak) assertRight(t *testing.T) {
	t.Helper()
	began := time.Now()
	assert.Eventually(t, func() bool { return len(s.wrong()) == 0 }, 5*time.Minute, time.Second)
	assert.Empty(t, s.wrong())
	stored := 0
	for _, tag := range s.tags {
		if tag.stored {
			stored++
		}
	}
	assert.Eventually(t, func() bool { return len(claimsIn(t, s.published.namespace)) == stored }, 2*time.Minute, time.Second, "claims are left of entries that went")
	t.Logf("%d entries in the end, all right %s after the last fault", stored, time.Since(began).Round(time.Second))
}

func (s *soak) wrong() (wrong []string) {
	stored := s.published.now()
	for _, tag := range s.tags {
		entry := stored[tag.entry()]
		switch {
		case (entry != nil) != tag.stored:
			wrong = append(wrong, fmt.Sprintf("%s: stored %t", tag.entry(), tag.stored))
		case entry != nil && !tag.isToldBy(entry):
			wrong = append(wrong, fmt.Sprintf("%s: %q in channel %q, but %+v", tag.entry(), tag.digest, tag.channel, entry.Status))
		}
		delete(stored, tag.entry())
	}
	for entry := range stored {
		wrong = append(wrong, entry+": it was deleted")
	}
	return wrong
}

// isToldBy says whether the entry says all that is so.
func (s *soakedTag) isToldBy(entry *v1alpha1.CatalogImage) bool {
	status := &entry.Status
	if status.ObservedGeneration != entry.Generation || !status.GetCondition(v1alpha1.ConditionFresh).IsTrue() ||
		!status.GetCondition(v1alpha1.ConditionUnique).IsTrue() || entry.Labels["imagecatalog.dev/channel"] != s.channel {
		return false
	}
	if s.digest != "" {
		return status.Phase == v1alpha1.PhaseAvailable && status.Digest == s.digest
	}
	reason := status.GetCondition(v1alpha1.ConditionResolved).GetReason()
	return (status.Phase == v1alpha1.PhaseUnavailable && reason == "ImageDeleted") || (status.Phase == v1alpha1.PhaseFailed && reason == "NotFound")
}
