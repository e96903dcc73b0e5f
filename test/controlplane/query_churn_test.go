//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const (
	churnWriters     = 50
	entriesPerWriter = 6
	churnPause       = 50 * time.Millisecond // of a writer between two writes
)

// churn is writers that create, change and delete entries through the API server, each those of its own.
type churn struct {
	writing  errgroup.Group
	stopping chan struct{}
	writes   atomic.Int64
}

// newChurn creates the entries and has the writers begin.
func newChurn(t *testing.T, namespaces ...string) *churn {
	t.Helper()
	c := &churn{stopping: make(chan struct{})}
	var creating errgroup.Group
	creating.SetLimit(16)
	writers := make([]*writer, churnWriters)
	for n := range writers {
		writers[n] = &writer{churn: c, number: n, namespace: namespaces[n%len(namespaces)]}
		creating.Go(func() error { return writers[n].fill(t.Context()) })
	}
	require.NoError(t, creating.Wait())
	for _, w := range writers {
		c.writing.Go(func() error { return w.run(t.Context()) })
	}
	return c
}

// stop has the writers end, and requires that all they wrote was accepted.
func (c *churn) stop(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return c.writes.Load() > churnWriters }, patience, pause, "they write")
	close(c.stopping)
	require.NoError(t, c.writing.Wait())
	t.Logf("%d writes by %d writers", c.writes.Load(), churnWriters)
}

// writer has some names, of which some have an entry.
type writer struct {
	churn     *churn
	number    int
	namespace string
	stored    [entriesPerWriter]bool
	images    int // no two entries are of the same
}

func (w *writer) fill(ctx context.Context) error {
	for slot := range w.stored {
		if err := w.create(ctx, slot); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) run(ctx context.Context) error {
	for {
		select {
		case <-w.churn.stopping:
			return nil
		case <-time.After(churnPause):
		}
		if err := w.write(ctx, rand.IntN(entriesPerWriter)); err != nil {
			return err
		}
		w.churn.writes.Add(1)
	}
}

func (w *writer) write(ctx context.Context, slot int) error {
	switch {
	case !w.stored[slot]:
		return w.create(ctx, slot)
	case rand.IntN(3) == 0:
		w.stored[slot] = false
		return catalog.ImagecatalogV1alpha1().CatalogImages(w.namespace).Delete(ctx, w.name(slot), metav1.DeleteOptions{})
	}
	team := anyTeam()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"team":%q}},"spec":{"displayName":%q,"channel":%q}}`, team, team, anyChannel())
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(w.namespace).Patch(ctx, w.name(slot), types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (w *writer) create(ctx context.Context, slot int) error {
	w.images++
	entry := newEntry(w.name(slot), fmt.Sprintf("quay.io/%s/autosd:%d-%d", w.namespace, w.number, w.images))
	entry.Spec.Channel, entry.Spec.DisplayName = v1alpha1.Facet(anyChannel()), anyTeam()
	entry.Labels = map[string]string{"team": entry.Spec.DisplayName} // a listing shows no labels
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(w.namespace).Create(ctx, entry, metav1.CreateOptions{})
	w.stored[slot] = err == nil
	return err
}

func (w *writer) name(slot int) string { return fmt.Sprintf("autosd-%d-%d", w.number, slot) }

func anyChannel() string { return [...]string{"dev", "stage", "prod"}[rand.IntN(3)] }

func anyTeam() string { return [...]string{"boards", "phones"}[rand.IntN(2)] }
