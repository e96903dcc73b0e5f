package plane

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// show has the API server know a process as the pod that it stands for, at loopback, with some of its ports elsewhere than
// its Deployment says. Nothing but those who look for the pod's address sees it.
func (p *Plane) show(ctx context.Context, process *Process, ports map[string]int) error {
	pods := p.Kube.CoreV1().Pods(SystemNamespace)
	now := int64(0)
	err := pods.Delete(ctx, process.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing the pod %s of an earlier plane: %w", process.Name, err)
	}
	pod := &corev1.Pod{ObjectMeta: *process.template.ObjectMeta.DeepCopy(), Spec: *process.template.Spec.DeepCopy()}
	pod.Name = process.Name
	for n, port := range pod.Spec.Containers[0].Ports {
		if elsewhere, ok := ports[port.Name]; ok {
			pod.Spec.Containers[0].Ports[n].ContainerPort = int32(elsewhere)
		}
	}
	if pod, err = pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("making the pod %s: %w", process.Name, err)
	}
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, "127.0.0.1", []corev1.PodIP{{IP: "127.0.0.1"}}
	if _, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("giving the pod %s its address: %w", process.Name, err)
	}
	return nil
}
