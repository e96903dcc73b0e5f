package installation

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// eachPod runs a check for the pods of every object that makes some, of whatever kind.
func eachPod(t *testing.T, check func(t *testing.T, pod corev1.PodSpec)) {
	t.Helper()
	checked := 0
	for _, object := range manifests(t) {
		template, found, err := unstructured.NestedMap(object.Object, "spec", "template", "spec")
		require.NoError(t, err)
		if !found {
			continue
		}
		checked++
		t.Run(object.GetName(), func(t *testing.T) { check(t, *convert[corev1.PodSpec](t, template)) })
	}
	require.GreaterOrEqual(t, checked, 3, "controller, webhook and query server")
}

func eachContainer(t *testing.T, check func(t *testing.T, container corev1.Container)) {
	t.Helper()
	eachPod(t, func(t *testing.T, pod corev1.PodSpec) {
		require.NotEmpty(t, pod.Containers)
		for _, container := range append(pod.InitContainers, pod.Containers...) {
			check(t, container)
		}
	})
}

// The judge is the one of the API server itself.
func TestPodsMeetTheRestrictedStandard(t *testing.T) {
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	eachPod(t, func(t *testing.T, pod corev1.PodSpec) {
		for _, verdict := range judge.EvaluatePod(restricted, &metav1.ObjectMeta{}, &pod) {
			assert.True(t, verdict.Allowed, "%s: %s", verdict.ForbiddenReason, verdict.ForbiddenDetail)
		}
	})
}

// OpenShift's restricted-v2 gives each namespace users, groups and SELinux labels of its own, and refuses a pod that
// asks for others: https://docs.openshift.com/container-platform/latest/authentication/managing-security-context-constraints.html
func TestPodsLeaveTheirUserToOpenShift(t *testing.T) {
	eachPod(t, func(t *testing.T, pod corev1.PodSpec) {
		require.NotNil(t, pod.SecurityContext)
		runAsNonRoot := true
		assert.Equal(t, &corev1.PodSecurityContext{
			RunAsNonRoot:   &runAsNonRoot,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}, pod.SecurityContext)
		for _, volume := range pod.Volumes {
			assert.NotNil(t, volume.Secret, "%s: restricted-v2 allows few kinds of volumes, and the binaries need no other", volume.Name)
		}
	})
}

// A user that is nobody in the image owns no file of it, so nothing may be written.
func TestContainersAskForNothing(t *testing.T) {
	eachContainer(t, func(t *testing.T, container corev1.Container) {
		no, yes := false, true
		assert.Equal(t, &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no,
			ReadOnlyRootFilesystem:   &yes,
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}, container.SecurityContext)
		for _, port := range container.Ports {
			assert.GreaterOrEqual(t, port.ContainerPort, int32(1024), "%s: a port below is for root", port.Name)
			assert.Zero(t, port.HostPort, port.Name)
		}
	})
}

// Namespaces with a quota refuse pods that do not say what they need.
func TestContainersSayWhatTheyNeed(t *testing.T) {
	eachContainer(t, func(t *testing.T, container corev1.Container) {
		assert.NotEmpty(t, container.Resources.Requests[corev1.ResourceCPU])
		assert.NotEmpty(t, container.Resources.Requests[corev1.ResourceMemory])
		assert.NotEmpty(t, container.Resources.Limits[corev1.ResourceMemory])
		assert.NotNil(t, container.ReadinessProbe)
		assert.NotNil(t, container.LivenessProbe)
		assert.True(t, strings.HasPrefix(container.Image, "ko://imagecatalog.dev/catalog/cmd/"), container.Image)
	})
}
