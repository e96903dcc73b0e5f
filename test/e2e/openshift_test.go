//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OpenShift runs the pods of a namespace as a user that it picks: one that no image knows, in the group 0.
func TestTheBinariesRunAsAnyUser(t *testing.T) {
	user := 1_000_000_000 + rand.Int64N(1_000_000_000)
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"securityContext":{"runAsUser":%d,"runAsGroup":0,"fsGroup":%d}}}}}`, user, user)
	atEnd(t, "kubectl", "--namespace", "image-catalog", "rollout", "status", "deployment", "--timeout=120s")
	for _, deployment := range []string{"deployment/controller", "deployment/query", "deployment/webhook"} {
		mustCommand(t, "kubectl", "--namespace", "image-catalog", "patch", deployment, "--patch", patch)
		atEnd(t, "kubectl", "--namespace", "image-catalog", "rollout", "undo", deployment)
	}
	mustCommand(t, "kubectl", "--namespace", "image-catalog", "rollout", "status", "deployment", "--timeout=120s")

	pods, err := kube.CoreV1().Pods("image-catalog").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	ready := map[string]bool{}
	for _, pod := range pods.Items {
		if runAs := pod.Spec.SecurityContext.RunAsUser; runAs != nil && *runAs == user && isReady(pod) {
			ready[pod.Labels["app.kubernetes.io/name"]] = true
		}
	}
	assert.Equal(t, map[string]bool{"controller": true, "query": true, "webhook": true}, ready)
}

func isReady(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
