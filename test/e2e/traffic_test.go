//go:build e2e

package e2e

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// publishers create entries, one after the other and several at a time, until they are stopped or refused.
type publishers struct {
	working  errgroup.Group
	stopping atomic.Bool
	created  atomic.Int64
}

func startPublishers(t *testing.T, namespace string) *publishers {
	t.Helper()
	p := &publishers{}
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	var number atomic.Int64
	for range 4 {
		p.working.Go(func() error {
			for !p.stopping.Load() {
				if _, err := entries.Create(t.Context(), entry(namespace, int(number.Add(1))), metav1.CreateOptions{}); err != nil {
					return err
				}
				p.created.Add(1)
			}
			return nil
		})
	}
	t.Cleanup(func() { _ = p.stop() })
	return p
}

// stop gives the first refusal.
func (p *publishers) stop() error {
	p.stopping.Store(true)
	return p.working.Wait()
}

func webhookPods(t *testing.T) (names []string) {
	t.Helper()
	pods, err := kube.CoreV1().Pods("image-catalog").List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=webhook"})
	require.NoError(t, err)
	for _, pod := range pods.Items {
		names = append(names, pod.Name)
	}
	return names
}

func TestWhileTheWebhookIsReplacedNothingIsRefused(t *testing.T) {
	old := webhookPods(t)
	require.NotEmpty(t, old)
	publishing := startPublishers(t, newNamespace(t, "e2e-rollout"))
	mustCommand(t, "kubectl", "--namespace", "image-catalog", "rollout", "restart", "deployment/webhook")
	mustCommand(t, "kubectl", "--namespace", "image-catalog", "rollout", "status", "deployment/webhook", "--timeout=120s")
	before := publishing.created.Load()
	require.Positive(t, before)
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(webhookPods(t), func(pod string) bool { return slices.Contains(old, pod) })
	}, waitTimeout, pollInterval, "the old pods go")
	require.Eventually(t, func() bool { return publishing.created.Load() > before+100 }, waitTimeout, pollInterval, "the new ones answer")
	assert.NoError(t, publishing.stop())
	t.Logf("%d entries were created while the webhook was replaced", publishing.created.Load())
}
