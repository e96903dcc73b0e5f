//go:build registries

package registries

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

const (
	callerCount = 20
	// askEvery is how long each caller waits before it asks again: it does not keep to what it is told.
	askEvery = 20 * time.Millisecond
	// probeLength is how long the one request that goes first is let wait for its answer.
	probeLength = 500 * time.Millisecond
)

// A registry that throttles is asked again when it said, and not before, by one request first.
func TestPauseOfThrottledHost(t *testing.T) {
	t.Parallel()
	const pause = 3 * time.Second
	for title, when := range map[string]func() (header string, until time.Time){
		"seconds": func() (string, time.Time) {
			return strconv.Itoa(int(pause.Seconds())), time.Now().Add(pause)
		},
		"a date": func() (string, time.Time) {
			until := time.Now().Add(pause).UTC().Truncate(time.Second) // a date has no parts of a second
			return until.Format(http.TimeFormat), until
		},
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			for _, b := range []*backend{open, debian} {
				t.Run(b.name+"/"+strconv.Itoa(status)+" with "+title, func(t *testing.T) {
					t.Parallel()
					f := newFront(t, b)
					client := f.client(t)
					_, err := client.Head(patient(t), lookRef(t, f.Host, 0), f.keychain())
					require.NoError(t, err)

					header, until := when()
					f.Inject(faults.RetryAfter(status, header).At("/manifests/"))
					_, err = client.Head(patient(t), lookRef(t, f.Host, 0), f.keychain())
					require.Error(t, err)
					first := oneGoesFirst(t, f, client, registry.ReasonOf(err))
					assert.False(t, first.Before(until), "asked at %s, %s before it said", first, until.Sub(first))
				})
			}
		}
	}
}

// After a registry was away, one request finds out whether it is back, and the rest wait for that one.
func TestProbeAfterOutage(t *testing.T) {
	t.Parallel()
	for title, fault := range map[string]faults.Fault{
		"503":             faults.Status(http.StatusServiceUnavailable),
		"broken answers":  faults.Truncated(),
		"broken off":      faults.Reset(),
		"bad gateway":     faults.Status(http.StatusBadGateway),
		"gateway timeout": faults.Status(http.StatusGatewayTimeout),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, open)
			client := f.client(t)
			_, err := client.Head(patient(t), lookRef(t, f.Host, 0), nil)
			require.NoError(t, err)

			f.Inject(fault.At("/manifests/"))
			var last time.Time
			var failure *registry.Error
			for failure == nil || failure.RetryAfter == 0 { // until the client leaves the registry alone
				last = time.Now()
				_, err = client.Describe(patient(t), lookRef(t, f.Host, 0), nil)
				require.ErrorAs(t, err, &failure)
				require.LessOrEqual(t, len(f.Log().At("/manifests/")), 12, "nothing keeps requests from a registry that is away:\n%s", f.Log())
			}
			first := oneGoesFirst(t, f, client, registry.RegistryUnavailable)
			assert.Greater(t, first.Sub(last), 20*time.Second, "it was asked again too soon")
		})
	}
}

// oneGoesFirst has many callers ask a host that the client leaves alone, again and again, until all have an answer. It
// gives the time of the one request that went first, and fails the test when another came before that was answered.
func oneGoesFirst(t *testing.T, f *front, client *registry.Client, reason registry.Reason) (first time.Time) {
	t.Helper()
	release := make(chan struct{})
	f.Forget()
	f.Inject(faults.Held(release))
	var refusals atomic.Int64
	var callers sync.WaitGroup
	for i := range callerCount {
		callers.Go(func() {
			for {
				_, err := client.Head(patient(t), lookRef(t, f.Host, i), f.keychain())
				if err == nil {
					return
				}
				refusals.Add(1)
				if !assert.Equal(t, reason, registry.ReasonOf(err), "it is kept back for the reason that began it: %v", err) {
					return
				}
				time.Sleep(askEvery)
			}
		})
	}
	defer callers.Wait()
	defer close(release)
	require.Eventually(t, func() bool { return len(f.Log()) > 0 }, time.Minute, time.Millisecond, "nobody asks it any more")
	before := refusals.Load()
	time.Sleep(probeLength)
	require.Greater(t, refusals.Load(), before, "nobody asked meanwhile: the test proves nothing")
	log := f.Log()
	require.Len(t, log, 1, "one goes first, and the others wait for its answer:\n%s", log)
	return log[0].At
}
