//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/plane"
)

// The API server is killed while entries are published, and started again: each entry whose create was acknowledged ends
// Available. Webhook and controller go on by themselves.
func TestTheAPIServerIsKilledWhileEntriesAreBeingPublished(t *testing.T) {
	server, err := under.Part(t.Context(), plane.APIServer)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, under.Up(context.WithoutCancel(t.Context()))) })
	load := newPipelines(t)
	load.more(t)
	require.NoError(t, server.Kill())
	require.NoError(t, under.Up(t.Context()))
	load.more(t)
	load.end(t)
}

// etcd comes to a halt for nine tenths of each second; with CAMPAIGN=full for 15 of them.
func TestEtcdIsSlowWhileEntriesAreBeingPublished(t *testing.T) {
	etcd, err := under.Part(t.Context(), plane.Etcd)
	require.NoError(t, err)
	load := newPipelines(t)
	load.more(t)
	askAll(t, load.namespace)
	seconds := 5
	if os.Getenv(campaignVariable) == "full" {
		seconds = 15
	}
	hold(t, etcd, seconds)
	load.more(t)
	load.end(t)
}

// hold stops a process for 900 ms of each of so many seconds.
func hold(t *testing.T, process *os.Process, seconds int) {
	t.Helper()
	t.Cleanup(func() { assert.NoError(t, process.Signal(syscall.SIGCONT)) })
	for range seconds {
		require.NoError(t, process.Signal(syscall.SIGSTOP))
		time.Sleep(900 * time.Millisecond)
		require.NoError(t, process.Signal(syscall.SIGCONT))
		time.Sleep(100 * time.Millisecond)
	}
}

// pipelines publish images that can be had, one after the other, through all trouble.
type pipelines struct {
	namespace    string
	mutex        sync.Mutex
	acknowledged []string
	stop         func()
	workers      sync.WaitGroup
}

func newPipelines(t *testing.T) *pipelines {
	t.Helper()
	repository, stopping := everyTag(t), make(chan struct{})
	p := &pipelines{namespace: newNamespace(t), stop: sync.OnceFunc(func() { close(stopping) })}
	for worker := range 4 {
		p.workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopping:
					return
				default:
					p.publish(t.Context(), fmt.Sprintf("entry-%d-%d", worker, n), repository)
				}
			}
		})
	}
	t.Cleanup(func() { p.stop(); p.workers.Wait() })
	return p
}

func (p *pipelines) publish(ctx context.Context, name string, repository name.Repository) {
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(p.namespace).Create(ctx, newEntry(name, repository.Tag(name).Name()), metav1.CreateOptions{})
	if err != nil { // it may be stored all the same; nobody was told so
		time.Sleep(pause)
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.acknowledged = append(p.acknowledged, name)
}

func (p *pipelines) count() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.acknowledged)
}

// more waits until 50 creates more were acknowledged.
func (p *pipelines) more(t *testing.T) {
	t.Helper()
	until := p.count() + 50
	require.Eventually(t, func() bool { return p.count() >= until }, 2*patience, pause)
}

// end stops the pipelines, and requires that nothing is lost, that nothing was told twice, and that nobody had to help.
func (p *pipelines) end(t *testing.T) {
	t.Helper()
	p.stop()
	p.workers.Wait()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(p.namespace)
	missing := map[string]v1alpha1.Phase{}
	assert.Eventually(t, func() bool {
		clear(missing)
		for _, name := range p.acknowledged {
			missing[name] = "lost"
		}
		list, err := entries.List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, entry := range list.Items {
			missing[entry.Name] = entry.Status.Phase
			if entry.Status.Phase == v1alpha1.PhaseAvailable {
				delete(missing, entry.Name)
			}
		}
		return len(missing) == 0
	}, 3*patience, 10*pause)
	assert.Empty(t, missing)
	for _, process := range append(installed.Webhooks, installed.Controller) {
		assert.NoError(t, process.AwaitReady(t.Context()))
	}
	told := toldIn(t, p.namespace)
	for _, name := range p.acknowledged {
		assert.Contains(t, told, name+" Published")
	}
	for what, times := range told {
		if !strings.HasSuffix(what, " UpdateFailed") { // which counts the tries
			assert.Equal(t, 1, times, what)
		}
	}
	t.Logf("%d creates were acknowledged, %d Events told", len(p.acknowledged), len(told))
}

// everyTag is a repository in which each tag is of the same image.
func everyTag(t *testing.T) name.Repository {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before, _, found := strings.Cut(r.URL.Path, "/manifests/entry-"); found {
			r.URL.Path = before + "/manifests/1"
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/acme/autosd:1")
	require.NoError(t, err)
	push(t, ref)
	return ref.Context()
}
