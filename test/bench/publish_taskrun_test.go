package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/yaml"
)

func TestTheEmptyTaskDiffersInItsWorkOnly(t *testing.T) {
	content, err := os.ReadFile("../../tasks/catalog-publish/0.1/catalog-publish.yaml")
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

func TestWithoutAClusterItSaysWhatIsMissing(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	t.Setenv("REGISTRY", "")
	figures, err := publishTaskRun(settings{}).measure(t.Context())
	assert.Empty(t, figures)
	assert.ErrorContains(t, err, "missing in the environment: KUBECONFIG, REGISTRY")
}
