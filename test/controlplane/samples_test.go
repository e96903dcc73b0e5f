//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/test/plane"
)

// samples are what a process held at equal distances of time: bytes of heap that were in use after a collection, and
// goroutines.
type samples struct{ heap, goroutines []float64 }

// What may be more in the last quarter of a soak than in the second: a part, and what a few connections and a garbage
// collector's luck come to. A leak of a soak of 20 minutes is far above.
const (
	growth          = 1.2
	moreHeap        = 2 << 20
	moreGoroutines  = 100
	profilesEnabled = `{"data": {"runtime-profiling": "enabled"}}`
	profilesDefault = `{"data": {"runtime-profiling": null}}`
)

// watchProcesses samples the controller and the webhook's replicas, by name, until it is ended.
func watchProcesses(t *testing.T, pause time.Duration) (end func() map[string]*samples) {
	t.Helper()
	enableProfiles(t)
	processes := append(slices.Clone(installed.Webhooks), installed.Controller)
	taken := map[string]*samples{}
	for _, process := range processes {
		taken[process.Name] = &samples{}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for {
			for _, process := range processes {
				if err := taken[process.Name].take(process); err != nil {
					done <- err
					return
				}
			}
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-time.After(pause):
			}
		}
	}()
	return func() map[string]*samples {
		stop()
		require.NoError(t, <-done)
		return taken
	}
}

// enableProfiles has the processes serve profiles until the test ends.
func enableProfiles(t *testing.T) {
	t.Helper()
	set := func(ctx context.Context, patch string) {
		_, err := kube.CoreV1().ConfigMaps(systemNamespace).Patch(ctx, "config-observability", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	set(t.Context(), profilesEnabled)
	t.Cleanup(func() { set(context.Background(), profilesDefault) })
	for _, process := range append(slices.Clone(installed.Webhooks), installed.Controller) {
		require.Eventually(t, func() bool { return new(samples).take(process) == nil }, patience, pause,
			"%s serves no profiles at %s; a controller cannot when another process has port 8080, where it answers probes", process.Name, process.Profiles)
	}
}

var (
	heapInUse  = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)
	goroutines = regexp.MustCompile(`^goroutine profile: total (\d+)`)
)

func (s *samples) take(process *plane.Process) error {
	heap, err := readProfile(process, "heap?gc=1&debug=1", heapInUse)
	if err != nil {
		return err
	}
	running, err := readProfile(process, "goroutine?debug=1", goroutines)
	if err != nil {
		return err
	}
	s.heap, s.goroutines = append(s.heap, heap), append(s.goroutines, running)
	return nil
}

// readProfile fetches a profile as text and finds a number in it.
func readProfile(process *plane.Process, profile string, number *regexp.Regexp) (float64, error) {
	response, err := http.Get("http://" + process.Profiles + "/debug/pprof/" + profile)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	found := number.FindSubmatch(body)
	if response.StatusCode != http.StatusOK || found == nil {
		return 0, fmt.Errorf("the profile %s of %s: %s", profile, process.Name, response.Status)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// assertFlat compares the second quarter with the last one: in the first a process may still grow to its size.
func (s *samples) assertFlat(t *testing.T, process string) {
	t.Helper()
	require.GreaterOrEqual(t, len(s.heap), 8, "too few samples")
	for what, series := range map[string]struct {
		taken []float64
		more  float64
	}{"bytes of heap": {s.heap, moreHeap}, "goroutines": {s.goroutines, moreGoroutines}} {
		quarter := len(series.taken) / 4
		second, last := median(series.taken[quarter:2*quarter]), median(series.taken[3*quarter:])
		t.Logf("%s: %s: %.0f in the second quarter, %.0f in the last", process, what, second, last)
		assert.LessOrEqual(t, last, growth*second+series.more, "%s: %s", process, what)
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
