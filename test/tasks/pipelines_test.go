package tasks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
)

var resultReference = regexp.MustCompile(`\$\(tasks\.([\w-]+)\.results\.(\w+)`)

// loadPipelines gives every Pipeline by its name, with the path of its file.
func loadPipelines(t *testing.T) (pipelines map[string]*pipelinev1.Pipeline, paths map[string]string) {
	t.Helper()
	pipelines, paths = map[string]*pipelinev1.Pipeline{}, map[string]string{}
	for _, f := range load(t, "pipelines/*/*.yaml") {
		pipeline := one[*pipelinev1.Pipeline](t, f)
		pipelines[pipeline.Name], paths[pipeline.Name] = pipeline, f.path
	}
	require.Contains(t, pipelines, "build-publish-verify")
	return pipelines, paths
}

func eachPipeline(t *testing.T, check func(t *testing.T, pipeline *pipelinev1.Pipeline, path string)) {
	t.Helper()
	pipelines, paths := loadPipelines(t)
	for name, pipeline := range pipelines {
		t.Run(name, func(t *testing.T) { check(t, pipeline, paths[name]) })
	}
}

// A Pipeline only composes Tasks: it gives them params that they have, and uses results that they declare.
func TestPipelineTasks(t *testing.T) {
	tasks, _ := loadTasks(t)
	eachPipeline(t, func(t *testing.T, pipeline *pipelinev1.Pipeline, _ string) {
		results := map[string][]string{}
		for _, step := range pipeline.Spec.Tasks {
			require.NotNil(t, step.TaskRef, step.Name)
			require.Contains(t, tasks, step.TaskRef.Name)
			task := tasks[step.TaskRef.Name]
			assertParams(t, step.Name, task.Spec.Params, step.Params)
			for _, workspace := range step.Workspaces {
				assert.Contains(t, workspaceNames(task), workspace.Name, step.Name)
			}
			for _, result := range task.Spec.Results {
				results[step.Name] = append(results[step.Name], result.Name)
			}
		}
		written, err := json.Marshal(pipeline.Spec)
		require.NoError(t, err)
		for _, reference := range resultReference.FindAllStringSubmatch(string(written), -1) {
			assert.Contains(t, results[reference[1]], reference[2], reference[0])
		}
	})
}

func workspaceNames(task *pipelinev1.Task) (names []string) {
	for _, workspace := range task.Spec.Workspaces {
		names = append(names, workspace.Name)
	}
	return names
}

func TestPipelineMetadata(t *testing.T) {
	eachPipeline(t, func(t *testing.T, pipeline *pipelinev1.Pipeline, path string) {
		assert.Equal(t, pipeline.Name+".yaml", filepath.Base(path))
		assert.Equal(t, pipeline.Name, filepath.Base(filepath.Dir(path)))
		assert.NotEmpty(t, pipeline.Spec.Description)
		readme, err := os.ReadFile(filepath.Join(filepath.Dir(path), "README.md"))
		require.NoError(t, err)
		for _, p := range pipeline.Spec.Params {
			assert.Regexp(t, screamingSnake, p.Name)
			assert.NotEmpty(t, p.Description, p.Name)
			assert.Contains(t, string(readme), "`"+p.Name+"`")
		}
		for _, result := range pipeline.Spec.Results {
			assert.Regexp(t, screamingSnake, result.Name)
			assert.Contains(t, string(readme), "`"+result.Name+"`")
		}
	})
}

func TestPipelineSamples(t *testing.T) {
	pipelines, _ := loadPipelines(t)
	runs := all[*pipelinev1.PipelineRun](load(t, "pipelines/*/samples/*.yaml"))
	require.Len(t, runs, len(pipelines), "one sample for each Pipeline")
	for path, run := range runs {
		require.NotNil(t, run.Spec.PipelineRef, path)
		require.Contains(t, pipelines, run.Spec.PipelineRef.Name, path)
		assertParams(t, path, pipelines[run.Spec.PipelineRef.Name].Spec.Params, run.Spec.Params)
	}
}
