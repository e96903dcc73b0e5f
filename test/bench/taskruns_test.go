package main

import (
	"context"
	"errors"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/yaml"
)

func TestTheEmptyTaskDiffersInItsWorkOnly(t *testing.T) {
	for _, name := range []string{"catalog-publish", "catalog-verify"} {
		content, err := os.ReadFile("../../tasks/" + name + "/0.1/" + name + ".yaml")
		require.NoError(t, err)
		var task pipelinev1.Task
		require.NoError(t, yaml.UnmarshalStrict(content, &task))

		empty := emptied(&task, "empty")
		require.Len(t, empty.Spec.Steps, len(task.Spec.Steps))
		assert.Empty(t, empty.Spec.Params)
		assert.Empty(t, empty.Spec.Results)
		step := empty.Spec.Steps[0]
		assert.Equal(t, []string{"--help"}, step.Args)
		assert.Empty(t, step.VolumeMounts, "the Task has no volumes")
		original := task.Spec.Steps[0]
		step.Args, step.Env, step.VolumeMounts = original.Args, original.Env, original.VolumeMounts
		assert.Equal(t, original, step, "same image, command, resources and security context")
	}
}

func TestWithoutAClusterItSaysWhatIsMissing(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	t.Setenv("REGISTRY", "")
	for _, m := range []measurement{publishTaskRun(settings{}), verifyTaskRun(settings{})} {
		figures, err := m.measure(t.Context())
		assert.Empty(t, figures)
		assert.ErrorContains(t, err, "missing in the environment: KUBECONFIG, REGISTRY")
	}
}

func TestTheKindsOfTaskRunsTakeTurns(t *testing.T) {
	var progress strings.Builder
	runs := taskRuns{task: "catalog-verify", rounds: 3, progress: log.New(&progress, "", 0)}
	took := func(seconds ...time.Duration) func(context.Context, int) (time.Duration, error) {
		return func(_ context.Context, round int) (time.Duration, error) { return seconds[round] * time.Second, nil }
	}
	medians, err := runs.inTurns(t.Context(), kind{"empty", took(9, 2, 1, 3)}, kind{"verified", took(9, 4, 6, 5)})
	require.NoError(t, err)
	assert.Equal(t, []float64{2, 5}, medians, "without the first turn")
	assert.Contains(t, progress.String(), "catalog-verify, round 1: empty 2.00 s, verified 4.00 s\n")

	broken := errors.New("no node")
	_, err = runs.inTurns(t.Context(), kind{"empty", func(context.Context, int) (time.Duration, error) { return 0, broken }})
	assert.ErrorIs(t, err, broken)
}

func TestAnImageIsAsLargeAsItsFiles(t *testing.T) {
	image, err := crane.Image(map[string][]byte{"ko-app/verify": make([]byte, 3000), "etc/passwd": make([]byte, 21)})
	require.NoError(t, err)
	bytes, err := filesOf(image)
	require.NoError(t, err)
	assert.EqualValues(t, 3021, bytes)
}
