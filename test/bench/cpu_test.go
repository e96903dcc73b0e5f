package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCPUTimeCountsWhatAProcessUses(t *testing.T) {
	processes, err := numbered(os.Getpid())
	require.NoError(t, err)
	parts := []part{{"nobody", nil}, {"this test", processes}}
	before, err := readCPU(parts)
	require.NoError(t, err)
	after := before
	for sum, rounds := 0, 0; after[1] < before[1]+100; rounds++ {
		require.Less(t, rounds, 100_000, "the time goes on")
		for n := range 1_000_000 {
			sum += n * sum
		}
		after, err = readCPU(parts)
		require.NoError(t, err)
	}
	used := after.since(before, 10)
	assert.Zero(t, used[0])
	assert.GreaterOrEqual(t, used[1], 10.0, "of the 100 ms, a tenth for each of 10 entries")
	assert.InDelta(t, used[1], used.sum(), 0)
}

func TestThoseWhoHaveEndedUseNoCPU(t *testing.T) {
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	_, err := numbered(cmd.Process.Pid)
	assert.ErrorContains(t, err, "finding process")
}

func TestAProcessIsFoundByProgramAndArgument(t *testing.T) {
	cmd := exec.Command("sleep", "61.5")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		found, args, err := findProcess("sleep", "61.5")
		return err == nil && found.PID == cmd.Process.Pid && len(args) == 2
	}, 10*time.Second, 10*time.Millisecond)

	_, _, err := findProcess("sleep", "--forever")
	assert.ErrorContains(t, err, "no process of this machine is sleep --forever")
}

func TestValueOfAFlag(t *testing.T) {
	args := []string{"kube-apiserver", "--etcd-servers-overrides=x", "--etcd-servers=http://127.0.0.1:1"}
	assert.Equal(t, "http://127.0.0.1:1", valueOf("--etcd-servers", args))
	assert.Empty(t, valueOf("--etcd", args))
}

func TestCPUIsShownByPart(t *testing.T) {
	parts := []part{{name: "client"}, {name: "webhook"}}
	mean := meanOf([]cpuTime{{0.1, 1}, {0.3, 2}})
	assert.Equal(t, []string{
		"           client  webhook   all",
		"  without    0.20     0.00  0.20",
		"     with    0.20     1.50  1.70",
	}, strings.Split(strings.TrimRight(cpuTable(parts, []cpuRow{{"without", cpuTime{0.2, 0}}, {"with", mean}}), "\n"), "\n"))
}
