//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// constantEntries are in a namespace that nobody changes.
const constantEntries = 40

func createConstant(t *testing.T) (namespace string) {
	t.Helper()
	namespace = newNamespace(t)
	for n := range constantEntries {
		entry := newEntry(fmt.Sprintf("autosd-%d", n), fmt.Sprintf("quay.io/%s/autosd:%d", namespace, n))
		_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), entry, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	return namespace
}

// clients ask about a namespace that does not change, one request after the other, until they are stopped.
type clients struct {
	*replicas
	namespace string
	asking    errgroup.Group
	stopping  chan struct{}
	answered  atomic.Int64
	passed    atomic.Int64 // answers or errors that sent a client to the other replica
}

// startClients has them ask as the function does: it gives an error for what must not be.
func startClients(t *testing.T, r *replicas, namespace string, ask func(context.Context, *clients, int) error) *clients {
	t.Helper()
	c := &clients{replicas: r, namespace: namespace, stopping: make(chan struct{})}
	for n := range 8 {
		c.asking.Go(func() error {
			for turn := n; ; turn++ {
				select {
				case <-c.stopping:
					return nil
				default:
				}
				if err := ask(t.Context(), c, turn); err != nil {
					return err
				}
				c.answered.Add(1)
				time.Sleep(pause / 10)
			}
		})
	}
	return c
}

// more waits until 100 requests more were answered.
func (c *clients) more(t *testing.T) {
	t.Helper()
	until := c.answered.Load() + 100
	require.Eventually(t, func() bool { return c.answered.Load() >= until }, patience, pause)
}

func (c *clients) stop(t *testing.T) {
	t.Helper()
	close(c.stopping)
	require.NoError(t, c.asking.Wait())
	t.Logf("%d answers, %d times of the other replica", c.answered.Load(), c.passed.Load())
}

// check says what is wrong with an answer.
func (c *clients) check(p page) error {
	if p.status != http.StatusOK || p.Total != constantEntries || len(p.Items) != constantEntries {
		return fmt.Errorf("%d, %d of %d entries: %s", p.status, len(p.Items), p.Total, p.Detail)
	}
	return nil
}

// askAnother asks a replica, and the other one if that does not answer or is not ready: then that has to answer.
func askAnother(ctx context.Context, c *clients, turn int) error {
	path := "/v1/namespaces/" + c.namespace + "/images?limit=500"
	answer, err := c.page(ctx, c.addresses[turn%2], path)
	if err != nil || answer.status == http.StatusServiceUnavailable {
		c.passed.Add(1)
		if answer, err = c.page(ctx, c.addresses[(turn+1)%2], path); err != nil {
			return err
		}
	}
	return c.check(answer)
}

// A replica is killed while it is asked: whoever asks the other one gets the same, and so does everybody when it is back.
func killUnderLoad(t *testing.T) {
	namespace, changing := createConstant(t), newNamespace(t)
	r := startReplicas(t, namespace, changing)
	churning := newChurn(t, changing)
	asking := startClients(t, r, namespace, askAnother)
	asking.more(t)
	require.NoError(t, r.processes[0].Kill())
	asking.more(t)
	require.NoError(t, r.processes[0].Start(t.Context()))
	require.NoError(t, r.processes[0].AwaitReady(t.Context()))
	asking.more(t)
	asking.stop(t)
	assert.Positive(t, asking.passed.Load())
	churning.stop(t)
	r.assertSame(t)
}

// assertSame asserts that both replicas come to show the same.
func (r *replicas) assertSame(t *testing.T) {
	t.Helper()
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		var seen [2]page
		for n, address := range r.addresses {
			var err error
			seen[n], err = r.page(t.Context(), address, "/v1/images?limit=500")
			require.NoError(c, err)
			require.Equal(c, http.StatusOK, seen[n].status)
		}
		assert.Equal(c, seen[0].Items, seen[1].Items)
	}, patience, pause)
}

// service sends requests to replicas that are ready, as a Service does.
type service struct{ ready [2]atomic.Bool }

// probe looks which replicas are ready until the test ends.
func (s *service) probe(t *testing.T, r *replicas) {
	t.Helper()
	s.ready[0].Store(true)
	s.ready[1].Store(true)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	for n, address := range r.addresses {
		go func() {
			for ctx.Err() == nil {
				response, err := open(ctx, r.client, address, "", "/readyz")
				s.ready[n].Store(err == nil && response.StatusCode == http.StatusOK)
				if err == nil {
					_ = response.Body.Close()
				}
				time.Sleep(10 * pause)
			}
		}()
	}
}

// ask reads or writes; no request may fail. What is written is not tried again by any client library.
func (s *service) ask(ctx context.Context, c *clients, turn int) error {
	at := turn % 2
	if !s.ready[at].Load() {
		c.passed.Add(1)
		at = 1 - at
	}
	if turn%8 < 7 {
		answer, err := c.page(ctx, c.addresses[at], "/v1/namespaces/"+c.namespace+"/images?limit=500")
		if err != nil {
			return err
		}
		return c.check(answer)
	}
	body := fmt.Sprintf(`{"metadata":{"name":"never"},"spec":{"image":"quay.io/%s/never:1"}}`, c.namespace)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.addresses[at]+"/v1/namespaces/"+c.namespace+"/images?dryRun=true", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.GetBody = nil // so that it can not be sent twice
	request.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("a dry run is answered with %s", response.Status)
	}
	return nil
}

// A replica is stopped in good order while it is asked, and no request fails.
func stopUnderLoad(t *testing.T) {
	namespace, changing := createConstant(t), newNamespace(t)
	r := startReplicas(t, namespace, changing)
	churning := newChurn(t, changing)
	behind := &service{}
	behind.probe(t, r)
	asking := startClients(t, r, namespace, behind.ask)
	ended := make(chan error, 1)
	go func() {
		ended <- r.watch(t.Context(), r.addresses[0], "/v1/images?watch=true", "", func(told) bool { return true })
	}()
	asking.more(t)
	require.NoError(t, r.processes[0].Stop())
	assert.NoError(t, <-ended, "a watch ends in good order")
	asking.more(t)
	require.NoError(t, r.processes[0].Start(t.Context()))
	require.NoError(t, r.processes[0].AwaitReady(t.Context()))
	asking.more(t)
	asking.stop(t)
	assert.Positive(t, asking.passed.Load())
	churning.stop(t)
	r.assertSame(t)
}
