// Package tasks holds the Tasks and Pipelines of this repository to Tekton's own rules, to each other, and to the
// binaries that they run.
package tasks

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/assemble"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/publish"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/verify"
)

const imagePrefix = "ko://imagecatalog.dev/catalog/cmd/"

var (
	screamingSnake = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	semver         = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
)

// loadTasks gives every Task by its name, with the path of its file.
func loadTasks(t *testing.T) (tasks map[string]*pipelinev1.Task, paths map[string]string) {
	t.Helper()
	tasks, paths = map[string]*pipelinev1.Task{}, map[string]string{}
	for _, f := range load(t, "tasks/*/*/*.yaml") {
		task := one[*pipelinev1.Task](t, f)
		tasks[task.Name], paths[task.Name] = task, f.path
	}
	for _, name := range []string{"assemble-image", "catalog-publish", "catalog-verify", "verify"} {
		require.Contains(t, tasks, name)
	}
	return tasks, paths
}

func eachTask(t *testing.T, check func(t *testing.T, task *pipelinev1.Task, path string)) {
	t.Helper()
	tasks, paths := loadTasks(t)
	for name, task := range tasks {
		t.Run(name, func(t *testing.T) { check(t, task, paths[name]) })
	}
}

func TestTaskMetadata(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, path string) {
		version := filepath.Dir(path)
		assert.Equal(t, task.Name+".yaml", filepath.Base(path))
		assert.Equal(t, task.Name, filepath.Base(filepath.Dir(version)))
		assert.Equal(t, filepath.Base(version), task.Labels["app.kubernetes.io/version"])
		assert.Regexp(t, semver, task.Annotations["tekton.dev/pipelines.minVersion"])
		for _, key := range []string{"categories", "tags", "displayName", "platforms"} {
			assert.NotEmpty(t, task.Annotations["tekton.dev/"+key], key)
		}
		assert.NotEmpty(t, task.Spec.Description)
		samples, err := filepath.Glob(filepath.Join(version, "samples", "*.yaml"))
		require.NoError(t, err)
		assert.NotEmpty(t, samples, "a sample beside the Task")
	})
}

func TestTaskParams(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		for _, p := range task.Spec.Params {
			assert.Regexp(t, screamingSnake, p.Name)
			assert.NotEmpty(t, p.Description, p.Name)
			if p.Default == nil {
				assert.Contains(t, []string{"IMAGE_URL", "ROOTFS"}, p.Name, "every param but the image has a default")
			}
		}
		for _, workspace := range task.Spec.Workspaces {
			assert.Equal(t, strings.ToLower(workspace.Name), workspace.Name)
			assert.True(t, workspace.Optional, workspace.Name)
		}
	})
}

// Tekton Chains takes results with these endings for what a run has built, and signs that. Only a builder may have them.
func TestTaskResults(t *testing.T) {
	builders := []string{"assemble-image"}
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		for _, result := range task.Spec.Results {
			assert.Regexp(t, screamingSnake, result.Name)
			assert.NotEmpty(t, result.Description, result.Name)
			for _, suffix := range []string{"IMAGE_URL", "IMAGE_DIGEST", "ARTIFACT_OUTPUTS"} {
				if strings.HasSuffix(result.Name, suffix) {
					assert.Contains(t, builders, task.Name, result.Name)
				}
			}
		}
	})
}

func TestTaskStep(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		require.Len(t, task.Spec.Steps, 1)
		step := task.Spec.Steps[0]
		assert.Equal(t, imagePrefix+binary(t, task), step.Image)
		assert.Equal(t, []string{"/ko-app/" + binary(t, task)}, step.Command)
		assert.Empty(t, step.Script)
		assert.NotEmpty(t, step.ComputeResources.Requests[corev1.ResourceCPU])
		assert.NotEmpty(t, step.ComputeResources.Requests[corev1.ResourceMemory])
		assert.NotEmpty(t, step.ComputeResources.Limits[corev1.ResourceMemory])
		assertRestricted(t, step.SecurityContext)
	})
}

// assertRestricted holds to the Pod Security Standard "restricted". No fixed user: OpenShift gives each namespace its own.
func assertRestricted(t *testing.T, security *corev1.SecurityContext) {
	t.Helper()
	require.NotNil(t, security)
	assert.Equal(t, &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(bool),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		RunAsNonRoot:             ptr(true),
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}, security)
}

// Every param is passed by its flag, scalars before lists as package param demands, and every flag has a param.
func TestTaskArgs(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		flags := flagsOf(t, task)
		var scalars, lists []string
		for _, p := range task.Spec.Params {
			flagName := strings.ReplaceAll(strings.ToLower(p.Name), "_", "-")
			known := flags.Lookup(flagName)
			require.NotNil(t, known, "the binary has no flag for %s", p.Name)
			_, isList := known.Value.(*param.List)
			assert.Equal(t, isList, p.Type == pipelinev1.ParamTypeArray, "%s is a %s", p.Name, p.Type)
			if isList {
				lists = append(lists, "--"+flagName+" $(params."+p.Name+"[*])")
			} else {
				scalars = append(scalars, "--"+flagName+"="+mountPath(task, p.Name)+"$(params."+p.Name+")")
			}
		}
		args := task.Spec.Steps[0].Args
		require.Len(t, args, len(scalars)+2*len(lists))
		assert.ElementsMatch(t, scalars, args[:len(scalars)])
		var passed []string
		for pair := range slices.Chunk(args[len(scalars):], 2) {
			passed = append(passed, strings.Join(pair, " "))
		}
		assert.ElementsMatch(t, lists, passed)
		flags.VisitAll(func(f *flag.Flag) {
			assert.True(t, slices.ContainsFunc(task.Spec.Params, func(p pipelinev1.ParamSpec) bool { return p.Name == param.Name(f.Name) }),
				"the Task has no param for the flag %s", f.Name)
		})
	})
}

// mountPath is where the volume is mounted that the param names; empty for params that name none.
func mountPath(task *pipelinev1.Task, paramName string) string {
	named := "$(params." + paramName + ")"
	for _, volume := range task.Spec.Volumes {
		if volume.ConfigMap == nil || volume.ConfigMap.Name != named {
			continue
		}
		for _, mount := range task.Spec.Steps[0].VolumeMounts {
			if mount.Name == volume.Name {
				return strings.TrimSuffix(mount.MountPath, named)
			}
		}
	}
	return ""
}

// A ConfigMap that is not there keeps no run from starting, and what is there is only read.
func TestTaskVolumes(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		require.Len(t, task.Spec.Steps[0].VolumeMounts, len(task.Spec.Volumes))
		for i, volume := range task.Spec.Volumes {
			mount := task.Spec.Steps[0].VolumeMounts[i]
			assert.Equal(t, volume.Name, mount.Name)
			assert.True(t, mount.ReadOnly, mount.Name)
			assert.Equal(t, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "$(params.REGISTRIES)"}, Optional: ptr(true),
			}}, volume.VolumeSource, volume.Name)
		}
		for _, p := range task.Spec.Params {
			if p.Name == "REGISTRIES" {
				assert.NotEmpty(t, mountPath(task, p.Name), "it is mounted")
				assert.Equal(t, registry.ConfigMapName, p.Default.StringVal)
			}
		}
	})
}

// The binary takes the Task's defaults.
func TestTaskDefaults(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		var args []string
		for _, arg := range task.Spec.Steps[0].Args {
			args = append(args, withDefaults(arg, task.Spec.Params)...)
		}
		assert.NoError(t, param.Parse(flagsOf(t, task), args))
	})
}

// withDefaults replaces the param in an argument by its default, or by something where it has none.
func withDefaults(arg string, params pipelinev1.ParamSpecs) []string {
	for _, p := range params {
		value := pipelinev1.NewStructuredValues("registry.example.com/acme/autosd:1")
		if p.Default != nil {
			value = p.Default
		}
		if arg == "$(params."+p.Name+"[*])" {
			return value.ArrayVal
		}
		arg = strings.ReplaceAll(arg, "$(params."+p.Name+")", value.StringVal)
	}
	return []string{arg}
}

// The results that the Task declares are those that the binary writes.
func TestTaskResultsAreWritten(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, _ string) {
		var declared []string
		for _, result := range task.Spec.Results {
			declared = append(declared, result.Name)
		}
		written := recorder{}
		writeResults(t, task, &written)
		assert.ElementsMatch(t, declared, written.names)
	})
}

// writeResults writes what the Task's binary writes when everything is known.
func writeResults(t *testing.T, task *pipelinev1.Task, results *recorder) {
	t.Helper()
	image, err := name.NewTag("registry.example.com/acme/autosd:1")
	require.NoError(t, err)
	pinned := image.Context().Digest("sha256:" + strings.Repeat("0", 64))
	switch binary(t, task) {
	case "assemble":
		err = assemble.WriteResults(results, image, pinned)
	case "publish":
		err = publish.Outcome{
			Name: "autosd", Namespace: "team-a", Pinned: pinned, Action: publish.Created, Phase: v1alpha1.PhasePending,
		}.WriteTo(results)
	case "verify":
		err = verify.Verdict{Outcome: verify.Verified, Reason: verify.ReasonVerified, Pinned: &pinned}.WriteTo(results, time.Now())
	}
	require.NoError(t, err)
}

// recorder takes results and keeps their names.
type recorder struct{ names []string }

func (r *recorder) Write(name, _ string) error {
	r.names = append(r.names, name)
	return nil
}

func (r *recorder) WriteObject(name string, _ map[string]string) error { return r.Write(name, "") }

// A reader finds every param and result of a Task in its README.
func TestTaskReadme(t *testing.T) {
	eachTask(t, func(t *testing.T, task *pipelinev1.Task, path string) {
		readme, err := os.ReadFile(filepath.Join(filepath.Dir(path), "README.md"))
		require.NoError(t, err)
		for _, p := range task.Spec.Params {
			assert.Contains(t, string(readme), "`"+p.Name+"`")
		}
		for _, result := range task.Spec.Results {
			assert.Contains(t, string(readme), "`"+result.Name+"`")
		}
	})
}

func TestTaskSamples(t *testing.T) {
	tasks, _ := loadTasks(t)
	for path, run := range all[*pipelinev1.TaskRun](load(t, "tasks/*/*/samples/*.yaml")) {
		require.NotNil(t, run.Spec.TaskRef, path)
		require.Contains(t, tasks, run.Spec.TaskRef.Name, path)
		assertParams(t, path, tasks[run.Spec.TaskRef.Name].Spec.Params, run.Spec.Params)
	}
}

func TestSettingsSamples(t *testing.T) {
	configs := all[*corev1.ConfigMap](load(t, "tasks/*/*/samples/*.yaml"))
	require.NotEmpty(t, configs)
	for path, config := range configs {
		assert.Equal(t, registry.ConfigMapName, config.Name, path)
		_, err := registry.ParseSettings(config.Data)
		assert.NoError(t, err, path)
	}
}

// assertParams holds the params of a run against those that are declared.
func assertParams(t *testing.T, where string, declared pipelinev1.ParamSpecs, given pipelinev1.Params) {
	t.Helper()
	types := map[string]pipelinev1.ParamType{}
	for _, p := range declared {
		types[p.Name] = p.Type
	}
	names := []string{}
	for _, p := range given {
		names = append(names, p.Name)
		if assert.Contains(t, types, p.Name, where) {
			assert.Equal(t, types[p.Name], p.Value.Type, "%s: %s", where, p.Name)
		}
	}
	for _, p := range declared {
		if p.Default == nil {
			assert.Contains(t, names, p.Name, "%s: it has no default", where)
		}
	}
}

func binary(t *testing.T, task *pipelinev1.Task) string {
	t.Helper()
	binary, ok := map[string]string{
		"assemble-image":  "assemble",
		"catalog-publish": "publish",
		"catalog-verify":  "verify",
		"verify":          "verify",
	}[task.Name]
	require.True(t, ok, "which binary does %s run?", task.Name)
	return binary
}

// flagsOf gives the flags that stand for params in the Task's binary.
func flagsOf(t *testing.T, task *pipelinev1.Task) *flag.FlagSet {
	t.Helper()
	flags := flag.NewFlagSet(task.Name, flag.ContinueOnError)
	switch binary(t, task) {
	case "assemble":
		new(assemble.Options).AddFlags(flags)
	case "publish":
		new(publish.Options).AddFlags(flags)
	case "verify":
		new(verify.Options).AddFlags(flags)
	}
	return flags
}

func ptr[T any](value T) *T { return &value }
