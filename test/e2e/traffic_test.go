//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// publishers create entries, one after the other and several at a time, until they are stopped or refused. A replica that
// ends closes its connections; what the API server sends on one at that moment is answered by nobody, and is tried again
// in a moment.
type publishers struct {
	working                  errgroup.Group
	stopping                 atomic.Bool
	created, unheard, halved atomic.Int64
}

// retryTime is how long a create is tried again that a mix of versions judges: the API server keeps its connections to an old
// replica until that has gone.
const retryTime = time.Minute

func startPublishers(t *testing.T, namespace string) *publishers {
	t.Helper()
	p := &publishers{}
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	var number atomic.Int64
	for range 4 {
		p.working.Go(func() error {
			for !p.stopping.Load() {
				next := entry(namespace, int(number.Add(1)))
				_, err := entries.Create(t.Context(), next, metav1.CreateOptions{})
				for began := time.Now(); p.counted(err) && time.Since(began) < retryTime; {
					time.Sleep(100 * time.Millisecond)
					_, err = entries.Create(t.Context(), next, metav1.CreateOptions{})
				}
				if err != nil {
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

// counted says whether to try again.
func (p *publishers) counted(err error) bool {
	switch {
	case unheard(err):
		p.unheard.Add(1)
	case halved(err):
		p.halved.Add(1)
	default:
		return false
	}
	return true
}

// unheard says whether the webhook did not answer, because the connection to it ended.
func unheard(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed calling webhook") &&
		slices.ContainsFunc([]string{": EOF", "broken pipe", "connection reset"}, func(end string) bool { return strings.Contains(err.Error(), end) })
}

// halved says whether an old replica was asked for the defaults and a new one to validate: it misses what the old one does
// not write, and says to try again.
func halved(err error) bool {
	return err != nil && strings.Contains(err.Error(), "the catalog writes it, and was not asked to; try again")
}

// stop gives the first refusal.
func (p *publishers) stop() error {
	p.stopping.Store(true)
	return p.working.Wait()
}

// assertHeard asserts that all but few creates were answered at once.
func (p *publishers) assertHeard(t *testing.T) {
	t.Helper()
	t.Logf("created %d entries, was not answered %d times, and was judged by a mix of versions %d times",
		p.created.Load(), p.unheard.Load(), p.halved.Load())
	assert.Less(t, p.unheard.Load(), p.created.Load()/20)
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

func TestWhileTheWebhookIsReplacedPublishingGoesOn(t *testing.T) {
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
	publishing.assertHeard(t)
	assert.Zero(t, publishing.halved.Load(), "there was one version")
}
