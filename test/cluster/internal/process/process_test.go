package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newOwner ends whatever the test leaves running.
func newOwner(t *testing.T) Owner {
	t.Helper()
	dir := t.TempDir()
	owner := Owner{Cluster: dir, Logs: filepath.Join(dir, "logs"), Path: os.Getenv("PATH")}
	t.Cleanup(func() { assert.NoError(t, owner.KillAll(context.Background())) })
	return owner
}

// sleeper runs a child too, so that part and child must be told apart.
func sleeper(args ...string) Part {
	return Part{Name: "a", Path: "/bin/sh", Args: append([]string{"-c", "sleep 1000 & wait", "sh"}, args...)}
}

func find(t *testing.T, owner Owner) Process {
	t.Helper()
	process, running, err := owner.Find("a")
	require.NoError(t, err)
	require.True(t, running, "the part runs")
	return process
}

func TestEnsureStartsOnceAndRestartsWhatIsStale(t *testing.T) {
	owner := newOwner(t)
	require.NoError(t, owner.Ensure(t.Context(), sleeper()))
	first := find(t, owner)

	require.NoError(t, owner.Ensure(t.Context(), sleeper()))
	assert.Equal(t, first.PID, find(t, owner).PID, "as described: left alone")

	require.NoError(t, owner.Ensure(t.Context(), sleeper("other")))
	assert.NotEqual(t, first.PID, find(t, owner).PID, "other arguments: restarted")
}

func TestAPartIsFoundAsSoonAsItIsStarted(t *testing.T) {
	owner := newOwner(t)
	for n := range 20 {
		require.NoError(t, owner.Ensure(t.Context(), sleeper(strconv.Itoa(n))))
		find(t, owner)
	}
}

func TestEnsureRestartsWhenAnInputChanges(t *testing.T) {
	owner := newOwner(t)
	part := sleeper()
	part.Inputs = []string{filepath.Join(t.TempDir(), "config")}
	require.NoError(t, os.WriteFile(part.Inputs[0], []byte("one"), 0o644))
	require.NoError(t, owner.Ensure(t.Context(), part))
	first := find(t, owner)

	require.NoError(t, os.WriteFile(part.Inputs[0], []byte("two"), 0o644))
	require.NoError(t, owner.Ensure(t.Context(), part))
	assert.NotEqual(t, first.PID, find(t, owner).PID)
}

func TestFindSeesAKilledPartAsGoneAndOthersNotAtAll(t *testing.T) {
	owner, other := newOwner(t), newOwner(t)
	require.NoError(t, owner.Ensure(t.Context(), sleeper()))
	require.NoError(t, other.Ensure(t.Context(), sleeper()))
	assert.NotEqual(t, find(t, owner).PID, find(t, other).PID)

	require.NoError(t, syscall.Kill(find(t, owner).PID, syscall.SIGKILL))
	require.Eventually(t, func() bool {
		_, running, err := owner.Find("a")
		return err == nil && !running
	}, time.Minute, time.Millisecond, "its child carries its marks and is not it")
	find(t, other)
}

func TestKillAllEndsChildrenThatOutlivedTheirPart(t *testing.T) {
	owner := newOwner(t)
	require.NoError(t, owner.Ensure(t.Context(), sleeper()))
	part := find(t, owner)
	require.Eventually(t, func() bool {
		processes, err := owner.Scan()
		return err == nil && len(processes) == 2
	}, time.Minute, time.Millisecond, "the shell has started its child")
	require.NoError(t, syscall.Kill(part.PID, syscall.SIGKILL))

	require.NoError(t, owner.KillAll(t.Context()))
	processes, err := owner.Scan()
	require.NoError(t, err)
	assert.Empty(t, processes)
}

func TestStopOfWhatDoesNotRun(t *testing.T) {
	assert.NoError(t, newOwner(t).Stop(t.Context(), "a"))
}

func TestAwaitQuotesTheLogOfAPartThatEnded(t *testing.T) {
	owner := newOwner(t)
	require.NoError(t, owner.Ensure(t.Context(), Part{Name: "a", Path: "/bin/sh", Args: []string{"-c", "echo no such flag; exit 1"}}))

	err := owner.Await(t.Context(), "a", time.Minute, func(context.Context) error { return errors.New("not yet") })
	assert.ErrorContains(t, err, "a has ended")
	assert.ErrorContains(t, err, "no such flag")
}

func TestPartsGetNothingFromTheCallersEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://elsewhere")
	owner := newOwner(t)
	require.NoError(t, owner.Ensure(t.Context(), sleeper()))

	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(find(t, owner).PID), "environ"))
	require.NoError(t, err)
	assert.NotContains(t, string(environment), "HTTP_PROXY")
}
