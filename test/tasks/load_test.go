package tasks

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// file is a YAML file of the repository with one or more objects.
type file struct {
	path    string
	objects []any
}

// load reads the files that match a pattern below the repository's root. A kind that is not listed here and a field
// that its type does not have are errors; so is what Tekton itself would refuse.
func load(t *testing.T, pattern string) []file {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	files := make([]file, 0, len(paths))
	for _, path := range paths {
		loaded := file{path: path}
		for _, document := range documents(t, path) {
			loaded.objects = append(loaded.objects, decode(t, path, document))
		}
		files = append(files, loaded)
	}
	return files
}

func documents(t *testing.T, path string) (found [][]byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err, path)
		found = append(found, document)
	}
}

func decode(t *testing.T, path string, document []byte) any {
	t.Helper()
	var kind metav1.TypeMeta
	require.NoError(t, yaml.Unmarshal(document, &kind), path)
	object, err := newObject(kind)
	require.NoError(t, err, path)
	require.NoError(t, yaml.UnmarshalStrict(document, object), path)
	if resource, ok := object.(tektonResource); ok {
		if resource.GetName() == "" { // as the API server does before it asks the webhook
			resource.SetName(resource.GetGenerateName() + "x")
		}
		resource.SetDefaults(t.Context())
		if invalid := resource.Validate(t.Context()); invalid != nil {
			require.NoError(t, invalid, path)
		}
	}
	return object
}

// tektonResource is what Tekton's webhook defaults and validates.
type tektonResource interface {
	metav1.Object
	apis.Defaultable
	apis.Validatable
}

func newObject(kind metav1.TypeMeta) (any, error) {
	switch kind.APIVersion + " " + kind.Kind {
	case "tekton.dev/v1 Task":
		return &pipelinev1.Task{}, nil
	case "tekton.dev/v1 TaskRun":
		return &pipelinev1.TaskRun{}, nil
	case "tekton.dev/v1 Pipeline":
		return &pipelinev1.Pipeline{}, nil
	case "tekton.dev/v1 PipelineRun":
		return &pipelinev1.PipelineRun{}, nil
	case "v1 ConfigMap":
		return &corev1.ConfigMap{}, nil
	case "v1 ServiceAccount":
		return &corev1.ServiceAccount{}, nil
	case "rbac.authorization.k8s.io/v1 Role":
		return &rbacv1.Role{}, nil
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		return &rbacv1.RoleBinding{}, nil
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		return &rbacv1.ClusterRoleBinding{}, nil
	}
	return nil, errors.New("unexpected kind " + kind.APIVersion + " " + kind.Kind)
}

// one gives the only object of the file.
func one[T any](t *testing.T, f file) T {
	t.Helper()
	require.Len(t, f.objects, 1, f.path)
	object, ok := f.objects[0].(T)
	require.True(t, ok, "%s: %T", f.path, f.objects[0])
	return object
}

// all gives the objects of a type in the files.
func all[T any](files []file) map[string]T {
	found := map[string]T{}
	for _, f := range files {
		for _, object := range f.objects {
			if typed, ok := object.(T); ok {
				found[f.path] = typed
			}
		}
	}
	return found
}
