package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalog "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/plane"
)

func (c *controllerBench) catalogImages() catalog.CatalogImageInterface {
	return c.Catalog.ImagecatalogV1alpha1().CatalogImages(c.namespace)
}

// create publishes through the webhook while no controller runs, as when that was away: with stamps, labels and claims
// that are to be adopted.
func (c *controllerBench) create(ctx context.Context) error {
	namespace, err := c.Kube.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	c.namespace = namespace.Name
	entries := make([]*v1alpha1.CatalogImage, c.entries)
	for n := range entries {
		entries[n] = c.entry(n)
	}
	rate, err := once(ctx, reconcilers, entries, func(ctx context.Context, entry *v1alpha1.CatalogImage) error {
		_, err := c.catalogImages().Create(ctx, entry, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("creating the entries: %w", err)
	}
	c.progress.Printf("controller: created %d entries, %.0f/s", c.entries, rate)
	return nil
}

func (c *controllerBench) image(n int) string {
	return fmt.Sprintf("%s/%s:%d", c.registry.address, imageRepository, n)
}

// entry is one that follows a tag, and says of its image what that says of itself, as catalog-publish has it.
func (c *controllerBench) entry(n int) *v1alpha1.CatalogImage {
	made := entry(n)
	made.Spec.Image, made.Spec.Digest = c.image(n), ""
	return &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Name: made.Name}, Spec: made.Spec}
}

// firstChecks starts the controller and waits until every entry is Available.
func (c *controllerBench) firstChecks(ctx context.Context, r *controllerResults) error {
	ctx, cancel := context.WithTimeout(ctx, patienceForChecks)
	defer cancel()
	before, err := c.read(ctx)
	if err != nil {
		return err
	}
	if err := c.Controller.Start(ctx); err != nil {
		return err
	}
	endProfile := c.startProfile(ctx)
	if err := c.awaitAvailable(ctx); err != nil {
		return err
	}
	took := time.Since(before.at)
	_, err = c.awaitIdle(ctx)
	if err := errors.Join(err, endProfile()); err != nil {
		return err
	}
	after, err := c.read(ctx)
	if err != nil {
		return err
	}
	r.first = after.since(before)
	r.first.took = took
	if r.peak, err = c.peakMemory(); err != nil {
		return err
	}
	return c.Controller.Stop()
}

// awaitAvailable goes by what the controller says of itself: asking the API server would keep it from its work.
func (c *controllerBench) awaitAvailable(ctx context.Context) error {
	return c.pollMetrics(ctx, func(s series) bool {
		return s.sum("imagecatalog_entries", `phase="Available"`) == float64(c.entries)
	})
}

// writeAll writes every status once, as large as the controller's. It has them say that the last check was long ago.
func (c *controllerBench) writeAll(ctx context.Context, r *controllerResults) error {
	entries, err := c.listAll(ctx, r)
	if err != nil {
		return err
	}
	longAgo := metav1.NewTime(time.Now().Add(-24 * time.Hour))
	before, err := c.read(ctx)
	if err != nil {
		return err
	}
	r.written, err = once(ctx, reconcilers, entries, func(ctx context.Context, entry *v1alpha1.CatalogImage) error {
		entry.Status.LastCheckedAt = &longAgo
		_, err := c.catalogImages().UpdateStatus(ctx, entry, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	after, err := c.read(ctx)
	r.writing = after.since(before)
	return err
}

// pullAll reads all images once, and then asks once whether they are there.
func (c *controllerBench) pullAll(ctx context.Context, r *controllerResults) error {
	puller, err := newPuller()
	if err != nil {
		return err
	}
	references := make([]name.Reference, c.entries)
	for n := range references {
		if references[n], err = name.ParseReference(c.image(n)); err != nil {
			return err
		}
	}
	r.pulled, err = once(ctx, reconcilers, references, func(ctx context.Context, ref name.Reference) error { return pull(ctx, puller, ref) })
	if err != nil {
		return err
	}
	r.asked, err = once(ctx, reconcilers, references, func(ctx context.Context, ref name.Reference) error {
		_, err := puller.Head(ctx, ref)
		return err
	})
	return err
}

// listAll gives the entries as they are stored, and notes how long it takes to read them and how large they are.
func (c *controllerBench) listAll(ctx context.Context, r *controllerResults) ([]*v1alpha1.CatalogImage, error) {
	began := time.Now()
	entries, err := c.available(ctx)
	if err != nil {
		return nil, err
	}
	r.listing = time.Since(began)
	for _, entry := range entries {
		encoded, err := json.Marshal(entry)
		if err != nil {
			return nil, err
		}
		r.stored += float64(len(encoded))
	}
	return entries, nil
}

// available reads all entries, which are Available, as they are stored.
func (c *controllerBench) available(ctx context.Context) ([]*v1alpha1.CatalogImage, error) {
	list, err := c.catalogImages().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(list.Items) != c.entries {
		return nil, fmt.Errorf("there are %d of %d", len(list.Items), c.entries)
	}
	entries := make([]*v1alpha1.CatalogImage, len(list.Items))
	for n := range list.Items {
		entries[n] = &list.Items[n]
		if phase := entries[n].Status.Phase; phase != v1alpha1.PhaseAvailable {
			return nil, fmt.Errorf("%s is %s", entries[n].Name, phase)
		}
	}
	return entries, nil
}

// startProfile takes a CPU profile of the controller at its first checks, if profiles are wanted.
func (c *controllerBench) startProfile(ctx context.Context) (end func() error) {
	if c.profiles == "" {
		return func() error { return nil }
	}
	ended := make(chan error, 1)
	go func() {
		ended <- takeProfile(ctx, c.Controller, c.entries/500, filepath.Join(c.profiles, "controller-first-checks.pprof"))
	}()
	return func() error { return <-ended }
}

// clean deletes the entries, the claims on their images and the Events that tell of them, when no controller runs that would check what is left.
func (c *controllerBench) clean(ctx context.Context) error {
	var stopped error
	if c.Controller.Running() {
		stopped = c.Controller.Stop()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	deleted := errors.Join(
		c.catalogImages().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
		c.Kube.CoordinationV1().Leases(plane.SystemNamespace).DeleteCollection(ctx, metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: claim.StateLabel}),
		c.Kube.CoreV1().Events(c.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
	)
	if deleted != nil {
		deleted = fmt.Errorf("deleting the entries: %w", deleted)
	}
	return errors.Join(stopped, deleted)
}
