//go:build controlplane

package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	certresources "knative.dev/pkg/webhook/certificates/resources"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// publishers create entries, each of another image, one after the other, until they are stopped.
type publishers struct {
	rest    time.Duration // of each between two entries
	entries catalogclient.CatalogImageInterface
	stored  atomic.Int64
	stop    func()

	mutex   sync.Mutex
	refused []error
	workers sync.WaitGroup
}

const publisherCount = 8

func newPublishers(t *testing.T, rest time.Duration) *publishers {
	t.Helper()
	stopping := make(chan struct{})
	p := &publishers{rest: rest, entries: catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t)), stop: sync.OnceFunc(func() { close(stopping) })}
	for worker := range publisherCount {
		p.workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopping: // not in mid-request
					return
				case <-time.After(p.rest):
				}
				p.publish(t.Context(), fmt.Sprintf("entry-%d-%d", worker, n), fmt.Sprintf("quay.io/acme/autosd:%d-%d", worker, n))
			}
		})
	}
	t.Cleanup(func() { p.stop(); p.workers.Wait() })
	return p
}

// publish tries again at once when it is refused, as a pipeline would.
func (p *publishers) publish(ctx context.Context, name, image string) {
	for range 3 {
		_, err := p.entries.Create(ctx, newEntry(name, image), metav1.CreateOptions{})
		if err == nil {
			p.stored.Add(1)
			return
		}
		p.mutex.Lock()
		p.refused = append(p.refused, err)
		p.mutex.Unlock()
	}
}

// more waits until so many entries more are stored.
func (p *publishers) more(t *testing.T, entries int64) {
	t.Helper()
	until := p.stored.Load() + entries
	require.Eventually(t, func() bool { return p.stored.Load() >= until }, patience, pause)
}

// end stops the publishers, requires that what they stored is stored once, and gives back why they were refused.
func (p *publishers) end(t *testing.T) []error {
	t.Helper()
	p.stop()
	p.workers.Wait()
	list, err := p.entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Len(t, list.Items, int(p.stored.Load()))
	assertUnique(t, list.Items)
	return p.refused
}

func TestAReplicaThatDiesTakesOnlyWhatItWasDoingWithIt(t *testing.T) {
	load := newPublishers(t, 0)
	load.more(t, 50)
	require.NoError(t, installed.Webhooks[0].Kill())
	load.more(t, 100)
	refused := load.end(t)
	require.NoError(t, installed.Webhooks[0].Start(t.Context()))
	require.NoError(t, installed.AwaitWebhook(t.Context()))

	assert.LessOrEqual(t, len(refused), 2*publisherCount, "those that were being asked about at that moment, and at the next")
	for _, err := range refused {
		assert.ErrorContains(t, err, "failed calling webhook")
	}
	t.Logf("refused %d, stored %d", len(refused), load.stored.Load())
}

// A Service gives new connections to a replica that is stopping until its endpoints have followed.
func TestAReplicaThatStopsRefusesNothing(t *testing.T) {
	load := newPublishers(t, 0)
	load.more(t, 50)
	time.AfterFunc(time.Second, func() { installed.Balancer.Withdraw(1) })
	t.Cleanup(func() { installed.Balancer.Readmit(1) })
	require.NoError(t, installed.Webhooks[1].Stop())
	load.more(t, 100)
	refused := load.end(t)
	require.NoError(t, installed.Webhooks[1].Start(t.Context()))
	require.NoError(t, installed.AwaitWebhook(t.Context()))
	assert.Empty(t, refused)
	t.Logf("stored %d", load.stored.Load())
}

func certificateRotates(t *testing.T) {
	secrets := kube.CoreV1().Secrets(systemNamespace)
	held := func() map[string][]byte {
		secret, err := secrets.Get(t.Context(), "webhook-certs", metav1.GetOptions{})
		require.NoError(t, err)
		return secret.Data
	}
	load := newPublishers(t, 2*pause) // together they create one every few milliseconds
	load.more(t, 20)
	served := installed.Balancer.Served()
	before := held()
	ask := fmt.Appendf(nil, `{"metadata": {"annotations": {"imagecatalog.dev/renew-requested-at": %q}}}`, time.Now().Format(time.RFC3339))
	_, err := secrets.Patch(t.Context(), "webhook-certs", types.MergePatchType, ask, metav1.PatchOptions{})
	require.NoError(t, err)

	// The last step takes the old CA away, and the API server hears of it.
	var after map[string][]byte
	require.Eventually(t, func() bool {
		after = held()
		return !bytes.Equal(after[certresources.ServerCert], before[certresources.ServerCert]) &&
			!bytes.Contains(after[certresources.CACert], before[certresources.CACert]) && trusted(t, after[certresources.CACert])
	}, 90*time.Second, 10*pause)
	load.more(t, 100)
	assert.Empty(t, load.end(t))
	assert.Equal(t, after, held(), "it does not begin again")
	for replica, n := range installed.Balancer.Served() {
		assert.Greater(t, n, served[replica])
	}
}

// trusted says whether the webhook configurations have the API server trust these CAs.
func trusted(t *testing.T, cas []byte) bool {
	t.Helper()
	configuration, err := kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "validation.webhook.imagecatalog.dev", metav1.GetOptions{})
	require.NoError(t, err)
	return bytes.Equal(configuration.Webhooks[0].ClientConfig.CABundle, cas)
}
