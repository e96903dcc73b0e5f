//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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

// held is what a process held at a moment: bytes of heap that were in use after a collection, and goroutines.
type held struct{ heap, goroutines float64 }

const (
	profilesEnabled = `{"data": {"runtime-profiling": "enabled"}}`
	profilesDefault = `{"data": {"runtime-profiling": null}}`
)

// measured are the processes that are watched.
func measured() []*plane.Process {
	return append(slices.Clone(installed.Webhooks), installed.Controller)
}

// watchProcesses samples the controller and the webhook's replicas, by name, until it is ended.
func watchProcesses(t *testing.T, pause time.Duration) (end func() map[string][]held) {
	t.Helper()
	taken := map[string][]held{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for {
			for _, process := range measured() {
				now, err := measure(process)
				if err != nil {
					done <- err
					return
				}
				taken[process.Name] = append(taken[process.Name], now)
			}
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-time.After(pause):
			}
		}
	}()
	return func() map[string][]held {
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
	for _, process := range measured() {
		serves := func() bool { _, err := measure(process); return err == nil }
		require.Eventually(t, serves, patience, pause,
			"%s serves no profiles at %s; a controller cannot when another process has port 8080, where it answers probes", process.Name, process.Profiles)
	}
}

var (
	heapInUse  = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)
	goroutines = regexp.MustCompile(`^goroutine profile: total (\d+)`)
)

// measure has the process collect twice: what is kept for reuse goes with the second collection.
func measure(process *plane.Process) (now held, err error) {
	for range 2 {
		if now.heap, err = readNumber(process, "heap?gc=1&debug=1", heapInUse); err != nil {
			return held{}, err
		}
	}
	now.goroutines, err = readNumber(process, "goroutine?debug=1", goroutines)
	return now, err
}

// readNumber finds a number in a profile.
func readNumber(process *plane.Process, profile string, number *regexp.Regexp) (float64, error) {
	text, err := readProfile(process, profile)
	if err != nil {
		return 0, err
	}
	found := number.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("there is no %s in the profile %s of %s", number, profile, process.Name)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

func readProfile(process *plane.Process, profile string) ([]byte, error) {
	response, err := http.Get("http://" + process.Profiles + "/debug/pprof/" + profile)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the profile %s of %s: %s", profile, process.Name, response.Status)
	}
	return io.ReadAll(response.Body)
}

// keepProfiles writes what each process holds at a moment into files, for `go tool pprof -base` to tell what became more.
func keepProfiles(t *testing.T, moment string) {
	t.Helper()
	for _, process := range measured() {
		for kind, profile := range map[string]string{"heap": "heap?gc=1", "goroutine": "goroutine"} {
			content, err := readProfile(process, profile)
			require.NoError(t, err)
			file := filepath.Join(t.ArtifactDir(), fmt.Sprintf("%s-%s.%s", process.Name, moment, kind))
			require.NoError(t, os.WriteFile(file, content, 0o644))
		}
	}
}

// measureAll measures each process, by name.
func measureAll(t *testing.T) map[string]held {
	t.Helper()
	all := map[string]held{}
	for _, process := range measured() {
		now, err := measure(process)
		require.NoError(t, err)
		all[process.Name] = now
	}
	return all
}

// assertFlat compares the second quarter with the last one, while entries come and go: what is kept of one that stays would
// add up. In the first quarter there are more entries than later, since all are published at the beginning.
func assertFlat(t *testing.T, process string, taken []held) {
	t.Helper()
	require.GreaterOrEqual(t, len(taken), 8, "too few samples")
	quarter := len(taken) / 4
	second, last := least(taken[quarter:2*quarter]), least(taken[3*quarter:])
	t.Logf("%s: at least %s in the second quarter, %s in the last", process, second, last)
	assertAsBefore(t, process, second, last, held{heap: 1 << 20, goroutines: 50})
}

// assertNothingLeft compares what is held without any entries.
func assertNothingLeft(t *testing.T, process string, before, after held) {
	t.Helper()
	t.Logf("%s: without entries %s before, %s after", process, before, after)
	assertAsBefore(t, process, before, after, held{heap: 256 << 10, goroutines: 10})
}

// assertAsBefore lets a little be more.
func assertAsBefore(t *testing.T, process string, before, after, more held) {
	t.Helper()
	assert.LessOrEqual(t, after.heap, before.heap+more.heap, "%s: bytes of heap", process)
	assert.LessOrEqual(t, after.goroutines, before.goroutines+more.goroutines, "%s: goroutines", process)
}

func (h held) String() string {
	return fmt.Sprintf("%.0f KB of heap and %.0f goroutines", h.heap/1000, h.goroutines)
}

// least of each: what is under way at a moment, or garbage since the collection, only adds to what is kept.
func least(taken []held) held {
	less := taken[0]
	for _, each := range taken {
		less.heap, less.goroutines = min(less.heap, each.heap), min(less.goroutines, each.goroutines)
	}
	return less
}
