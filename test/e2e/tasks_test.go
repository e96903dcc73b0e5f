//go:build e2e

package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const taskTimeout = 5 * time.Minute

// outcome is what a TaskRun of a single step ended with.
type outcome struct {
	exitCode int32
	results  map[string]string
	log      string
}

// runTask runs a Task of the demonstration namespace under its pipeline's service account.
func runTask(t *testing.T, task string, params map[string]string) outcome {
	t.Helper()
	runs := tekton.TektonV1().TaskRuns(demoNamespace)
	run := &pipelinev1.TaskRun{
		ObjectMeta: metav1.ObjectMeta{GenerateName: task + "-test-"},
		Spec: pipelinev1.TaskRunSpec{
			TaskRef:            &pipelinev1.TaskRef{Name: task},
			ServiceAccountName: "pipeline",
		},
	}
	for key, value := range params {
		run.Spec.Params = append(run.Spec.Params, pipelinev1.Param{Name: key, Value: *pipelinev1.NewStructuredValues(value)})
	}
	run, err := runs.Create(t.Context(), run, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		run, err = runs.Get(t.Context(), run.Name, metav1.GetOptions{})
		require.NoError(t, err)
		return run.IsDone()
	}, taskTimeout, 200*time.Millisecond)
	require.Len(t, run.Status.Steps, 1, "%+v", run.Status.Conditions)
	require.NotNil(t, run.Status.Steps[0].Terminated, "%+v", run.Status.Conditions)

	step := run.Status.Steps[0]
	log, err := kube.CoreV1().Pods(demoNamespace).GetLogs(run.Status.PodName, &corev1.PodLogOptions{Container: step.Container}).DoRaw(t.Context())
	require.NoError(t, err)
	ended := outcome{exitCode: step.Terminated.ExitCode, results: map[string]string{}, log: string(log)}
	for _, result := range run.Status.Results {
		ended.results[result.Name] = result.Value.StringVal
	}
	return ended
}

func push(t *testing.T, reference string) name.Digest {
	t.Helper()
	ref, err := name.NewTag(reference)
	require.NoError(t, err)
	image, err := random.Image(1024, 2)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	digest, err := image.Digest()
	require.NoError(t, err)
	return ref.Digest(digest.String())
}

// What Tasks do, several at a time: a TaskRun is waited for more than it works.
func TestTasks(t *testing.T) {
	t.Run("verify starts by that name", verifyStartsByThatName) // alone: tkn gives up 10 seconds after a TaskRun without a pod
	for name, test := range map[string]func(*testing.T){
		"publishing again changes nothing":                 publishingAgainChangesNothing,
		"verify finds an entry by name":                    verifyFindsAnEntryByName,
		"verify fails when a tag moved under its pin":      verifyFailsWhenATagMovedUnderItsPin,
		"verify is undecided when the registry is stopped": verifyIsUndecidedWhenTheRegistryIsStopped,
		"publish asks by the settings of its namespace":    publishAsksByTheSettings,
		"verify asks by the settings of its namespace":     verifyAsksByTheSettings,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func publishingAgainChangesNothing(t *testing.T) {
	image := os.Getenv("REGISTRY") + "/e2e/again:1"
	pinned := push(t, image)
	params := map[string]string{"IMAGE_URL": image, "WAIT_FOR": "Ready"}

	first := runTask(t, "catalog-publish", params)
	require.Zero(t, first.exitCode)
	assert.Equal(t, "created", first.results["ACTION"])
	assert.Equal(t, "Available", first.results["PHASE"])
	assert.Equal(t, pinned.Name(), first.results["PINNED_REF"])

	second := runTask(t, "catalog-publish", params)
	require.Zero(t, second.exitCode)
	assert.Equal(t, "unchanged", second.results["ACTION"])
	assert.Equal(t, first.results["CATALOG_NAME"], second.results["CATALOG_NAME"])

	params["CHANNEL"] = "prod"
	third := runTask(t, "catalog-publish", params)
	require.Zero(t, third.exitCode)
	assert.Equal(t, "updated", third.results["ACTION"])
}

func verifyFindsAnEntryByName(t *testing.T) {
	verified := runTask(t, "catalog-verify", map[string]string{"NAME": newestEntry(t).Name, "CONTENT": "true"})
	require.Zero(t, verified.exitCode)
	assert.Equal(t, "true", verified.results["VERIFIED"])
}

func verifyFailsWhenATagMovedUnderItsPin(t *testing.T) {
	image := os.Getenv("REGISTRY") + "/e2e/moved:1"
	pinned := push(t, image)
	params := map[string]string{"IMAGE_URL": image, "IMAGE_DIGEST": pinned.DigestStr()}
	require.Zero(t, runTask(t, "catalog-verify", params).exitCode, "before the tag moves")

	push(t, image)
	moved := runTask(t, "catalog-verify", params)
	assert.EqualValues(t, 1, moved.exitCode)
	assert.Equal(t, "false", moved.results["VERIFIED"])
	assert.Equal(t, "DigestMismatch", moved.results["REASON"])
}

func verifyIsUndecidedWhenTheRegistryIsStopped(t *testing.T) {
	host, server := startRegistry(t)
	image := host + "/e2e/away:1"
	push(t, image)
	params := map[string]string{"IMAGE_URL": image, "REGISTRIES": settingsForTasks(t, host+": {plainHTTP: true, privateAddresses: true}")}
	require.Zero(t, runTask(t, "catalog-verify", params).exitCode, "while the registry runs")

	require.NoError(t, server.Close())
	undecided := runTask(t, "catalog-verify", params)
	assert.EqualValues(t, 2, undecided.exitCode)
	assert.Equal(t, "false", undecided.results["VERIFIED"])
	assert.Equal(t, "RegistryUnavailable", undecided.results["REASON"])
}

func verifyStartsByThatName(t *testing.T) {
	entry := newestEntry(t)
	out := mustCommand(t, "tkn", "task", "start", "verify", "--namespace", demoNamespace,
		"--param", "IMAGE_URL="+entry.Spec.Image, "--use-param-defaults", "--skip-optional-workspace", "--showlog")
	assert.Contains(t, out, entry.Spec.Digest)
}
