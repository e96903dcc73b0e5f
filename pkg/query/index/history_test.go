package index

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// BenchmarkChangesBesideWalks is a change of an entry while walks of versions long ago begin one after the other: the mean,
// and the one that took longest.
func BenchmarkChangesBesideWalks(b *testing.B) {
	const entries, past = 20_000, 10_000
	c := newCatalog(b)
	for n := range entries + past {
		c.store(imagetest.Image("a", fmt.Sprintf("image-%d", n%entries), n))
	}
	stop := make(chan struct{})
	var walking sync.WaitGroup
	walking.Go(func() {
		for version := c.Latest().Version - past; ; version++ {
			select {
			case <-stop:
				return
			default:
				_, _ = c.At(version)
			}
		}
	})
	longest := time.Duration(0)
	for n := 0; b.Loop(); n++ {
		image := imagetest.Image("a", fmt.Sprintf("image-%d", n%entries), n)
		began := time.Now()
		c.store(image)
		longest = max(longest, time.Since(began))
	}
	close(stop)
	walking.Wait()
	b.ReportMetric(float64(longest)/float64(time.Millisecond), "longest-ms")
}

func TestChangesDoNotWaitUntilThePastIsMade(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "one", 1))
	var undoing atomic.Bool
	arrived, release := make(chan struct{}), make(chan struct{})
	c.Prepare(&Query{Predicates: []Predicate{{Key: "slow", Matches: func(e *Entry) bool {
		if e.Name == "one" && undoing.CompareAndSwap(true, false) {
			close(arrived)
			<-release
		}
		return true
	}}}})
	c.store(imagetest.Image("a", "one", 2))
	assert.False(t, c.Remembers(100))
	undoing.Store(true)
	past := make(chan *Snapshot, 2)
	at := func() {
		then, err := c.At(100)
		assert.NoError(t, err)
		past <- then
	}
	go at()
	<-arrived
	assert.True(t, c.Remembers(100), "somebody is at it")
	go at()
	c.store(imagetest.Image("a", "two", 3))
	assert.Equal(t, []string{"two", "one"}, c.everything())
	_, _, _, err := c.Since(100)
	require.NoError(t, err)
	now, err := c.At(102)
	require.NoError(t, err)
	assert.Same(t, c.Latest(), now)
	assert.Empty(t, past)

	close(release)
	then := <-past
	assert.Equal(t, []string{"one"}, namesOf(then.Page(newest(10)).Entries))
	assert.Equal(t, imagetest.Epoch.Unix()+60, then.Get("a", "one").Published)
	assert.Same(t, then, <-past, "it is made once")
}

// What was given away stays as it is, and of what was forgotten no more is kept than is said.
func TestHistoryIsForgottenWithoutChangingWhatWasGivenAway(t *testing.T) {
	c := newCatalog(t)
	clock := imagetest.Epoch
	c.now = func() time.Time { return clock }
	for n := range 100 {
		c.store(imagetest.Image("a", "one", n))
	}
	given, _, _, err := c.Since(150)
	require.NoError(t, err)
	want := append([]Change{}, given...)
	for n := range 400 {
		clock = clock.Add(historyAge / 50)
		c.store(imagetest.Image("a", "one", n))
		assert.LessOrEqual(t, c.history.forgotten, len(c.history.changes))
	}
	assert.Equal(t, want, given)
	assert.Len(t, c.history.changes, 51)

	big := imagetest.Image("a", "one", 1)
	big.Spec.DisplayName = strings.Repeat("x", 100<<10)
	for range 3 * historyBytes / (200 << 10) {
		c.store(big)
		assert.LessOrEqual(t, c.history.forgottenBytes, forgottenBytes)
	}
	assert.LessOrEqual(t, c.history.bytes, historyBytes)
}
