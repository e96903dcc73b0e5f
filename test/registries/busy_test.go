//go:build registries

package registries

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// The load of TestHungHost: ten hosts on the other side of an ocean, and workers who could all be lost to one of them. At
// this pace the workers who are left when it hangs suffice.
const (
	hostCount    = 10
	workerCount  = 16
	lookUpCount  = 250 // of all hosts together
	lookUpEvery  = 25 * time.Millisecond
	hostDistance = 100 * time.Millisecond
)

// errand is one look-up, due at a time. Who does it later has let it wait.
type errand struct {
	ref  name.Reference
	due  time.Time
	host int
}

// pool is workers who share a queue, as a controller's do: an errand that is refused because its host is busy goes back
// into the queue, for the time that the refusal names.
type pool struct {
	t      *testing.T
	client *registry.Client
	queue  chan errand
	left   sync.WaitGroup // of errands at hosts that answer

	mutex     sync.Mutex
	latencies []time.Duration // of errands at hosts that answer, from when they were due
	hung      int             // errands under way at the host that hangs
	mostHung  int
	refused   int
	ended     atomic.Int32 // errands at the host that hangs
}

// The first host is the one that hangs, in the run in which one does.
const hanging = 0

func (p *pool) work() {
	for errand := range p.queue {
		if errand.host == hanging {
			p.tryHanging(errand)
			continue
		}
		_, err := p.client.Head(p.t.Context(), errand.ref, nil)
		latency := time.Since(errand.due)
		assert.NoError(p.t, err)
		p.mutex.Lock()
		p.latencies = append(p.latencies, latency)
		p.mutex.Unlock()
		p.left.Done()
	}
}

func (p *pool) tryHanging(errand errand) {
	p.count(func() { p.hung++; p.mostHung = max(p.mostHung, p.hung) })
	_, err := p.client.Head(p.t.Context(), errand.ref, nil)
	p.count(func() { p.hung-- })
	var failure *registry.Error
	if !errors.As(err, &failure) || failure.Reason != registry.Busy {
		p.ended.Add(1)
		return
	}
	assert.Positive(p.t, failure.RetryAfter, "a refusal says when to come again")
	p.count(func() { p.refused++ })
	time.AfterFunc(failure.RetryAfter, func() {
		select {
		case p.queue <- errand:
		default: // the run is over
		}
	})
}

func (p *pool) count(change func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	change()
}

// warm opens a session with every host, as a client has that runs for a while.
func (p *pool) warm(hosts []*front) {
	for _, host := range hosts {
		_, err := p.client.Head(p.t.Context(), lookRef(p.t, host.Host, 0), nil)
		require.NoError(p.t, err)
	}
}

// run has every host asked in turn, at a pace that no answer changes, and returns when all of those that answer have.
func (p *pool) run(hosts []*front) {
	p.queue = make(chan errand, lookUpCount+workerCount)
	for range workerCount {
		go p.work()
	}
	tick := time.NewTicker(lookUpEvery)
	defer tick.Stop()
	for i := range lookUpCount {
		due := <-tick.C
		host := i % hostCount
		if host != hanging {
			p.left.Add(1)
		}
		p.queue <- errand{ref: lookRef(p.t, hosts[host].Host, i/hostCount), due: due, host: host}
	}
	p.left.Wait()
}

func (p *pool) percentile(percent int) time.Duration {
	slices.Sort(p.latencies)
	return p.latencies[len(p.latencies)*percent/100]
}

func newPool(t *testing.T) *pool {
	return &pool{t: t, client: registry.New(settings(t, plain), registry.RefuseWhenBusy())}
}

// One of ten registries hangs, and the others are asked as if it did not: it has a part of the workers, and the rest pass
// it by. The times are for people to read; what fails is a look-up that waited for the registry that hangs.
func TestHungHost(t *testing.T) {
	hosts := make([]*front, hostCount)
	for i := range hosts {
		hosts[i] = newFront(t, open)
		hosts[i].Inject(faults.Late(hostDistance))
	}
	before := newPool(t)
	before.warm(hosts)
	before.run(hosts)

	during := newPool(t)
	during.warm(hosts)
	release := make(chan struct{})
	defer close(release)
	hosts[hanging].Forget()
	hosts[hanging].Inject(faults.Held(release))
	during.run(hosts)

	require.Len(t, during.latencies, lookUpCount*(hostCount-1)/hostCount)
	assert.Zero(t, during.ended.Load(), "the look-ups of the other hosts ended before any of the one that hangs")
	during.count(func() {
		assert.Positive(t, during.refused, "the registry that hangs was not full: the test proves nothing")
		t.Logf("of %d workers %d were at the registry that hangs at most, and %d look-ups of it were put off", workerCount, during.mostHung, during.refused)
	})
	assert.LessOrEqual(t, len(hosts[hanging].Log()), registry.DefaultMaxConcurrent, "no more were sent there than may be:\n%s", hosts[hanging].Log())
	for _, percent := range []int{50, 99} {
		with, without := during.percentile(percent), before.percentile(percent)
		t.Logf("p%d of the other nine: %.1f ms with it, %.1f ms without: %.2f", percent, ms(with), ms(without), with.Seconds()/without.Seconds())
	}
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
