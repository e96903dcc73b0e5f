package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/plane"
)

const (
	// reconcilers is how many entries the controller checks at a time, and what it is compared with does at a time.
	reconcilers = 32
	// controllerMemory is what the controller's Deployment limits its memory to, in MiB.
	controllerMemory = 512
	// patienceForChecks is how long the first checks of all entries may take.
	patienceForChecks = 15 * time.Minute
)

// controllerBench measures the controller at a catalog of so many entries, each of an image of its own: their first
// checks, what it has to do when it comes back, and their regular checks. Nothing in the settings for registries holds it
// back.
type controllerBench struct {
	*plane.Plane
	entries  int
	profiles string
	progress *log.Logger

	registry     *process
	namespace    string
	controlPlane []part
}

func controllerAtSize(s settings) measurement {
	c := &controllerBench{entries: 10000, profiles: s.profiles, progress: s.progress}
	if s.short {
		c.entries = 1000
	}
	return measurement{figures: (&controllerResults{}).names(), measure: c.measure}
}

func (c *controllerBench) measure(ctx context.Context) ([]figure, error) {
	figures, err := c.onPlane(ctx, c.inPhases)
	if err != nil {
		return nil, fmt.Errorf("measuring the controller: %w", err)
	}
	return figures, nil
}

// onPlane has a registry of the images and the catalog, with a controller that is there to be started, while something is
// measured.
func (c *controllerBench) onPlane(ctx context.Context, measure func(context.Context) ([]figure, error)) (_ []figure, err error) {
	kubeconfig, err := controlPlaneKubeconfig()
	if err != nil {
		return nil, err
	}
	if c.registry, err = start(ctx, "-images", strconv.Itoa(c.entries)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.registry.stop()) }()
	if c.Plane, err = plane.Start(ctx, kubeconfig, 1); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close(false)) }()
	if c.controlPlane, err = controlPlaneOf(c.Plane); err != nil {
		return nil, err
	}
	if err := c.configure(ctx); err != nil {
		return nil, err
	}
	return measure(ctx)
}

func (c *controllerBench) inPhases(ctx context.Context) (_ []figure, err error) {
	r := &controllerResults{entries: float64(c.entries)}
	if r.emptyHeap, err = c.heapWithoutEntries(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.clean(ctx)) }()
	if err := c.create(ctx); err != nil {
		return nil, err
	}
	if err := c.allPhases(ctx, r); err != nil {
		return nil, err
	}
	c.progress.Print(r.details(c.partNames()))
	return r.figures(), nil
}

// allPhases measures one after the other. Between the first checks and the regular ones, which the baselines make due,
// nothing is.
func (c *controllerBench) allPhases(ctx context.Context, r *controllerResults) error {
	for _, phase := range []struct {
		name    string
		measure func(context.Context, *controllerResults) error
	}{
		{"first checks", c.firstChecks},
		{"a restart", c.comeBack},
		{"reading images", c.pullAll},
		{"the same calls", c.callAll},
		{"writing statuses", c.writeAll},
		{"regular checks", c.rechecks},
	} {
		began := time.Now()
		if err := phase.measure(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
		c.progress.Printf("controller: %s took %s", phase.name, time.Since(began).Round(100*time.Millisecond))
	}
	return nil
}

// configure lets the controller ask the registry as fast as it can, and switches on what memory and profiles are read by.
func (c *controllerBench) configure(ctx context.Context) error {
	hosts := fmt.Sprintf("%q: {plainHTTP: true, privateAddresses: true, maxConcurrent: %d, requestsPerSecond: 100000}",
		c.registry.address, 2*reconcilers)
	configs := c.Kube.CoreV1().ConfigMaps(plane.SystemNamespace)
	patch := fmt.Appendf(nil, `{"data": {"hosts": %q}}`, hosts)
	if _, err := configs.Patch(ctx, registry.ConfigMapName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("lifting the limits of the registry: %w", err)
	}
	return switchProfilesOn(ctx, c.Plane)
}

// heapWithoutEntries is what the controller keeps when there is nothing to keep, in bytes.
func (c *controllerBench) heapWithoutEntries(ctx context.Context) (float64, error) {
	if err := c.Controller.Start(ctx); err != nil {
		return 0, err
	}
	if _, err := c.awaitIdle(ctx); err != nil {
		return 0, err
	}
	heap, err := c.heap(ctx)
	return heap, errors.Join(err, c.Controller.Stop())
}

// comeBack restarts the controller when nothing is due.
func (c *controllerBench) comeBack(ctx context.Context, r *controllerResults) (err error) {
	if r.restart, err = c.run(ctx); err != nil {
		return err
	}
	if r.heap, err = c.heap(ctx); err != nil {
		return err
	}
	return c.Controller.Stop()
}

// rechecks lets the controller find that all entries are due, as after its node was away for longer than their interval.
// It checks them as fast as it can: the shortest interval that so many entries can have takes as long.
func (c *controllerBench) rechecks(ctx context.Context, r *controllerResults) (err error) {
	if r.rechecks, err = c.run(ctx); err != nil {
		return err
	}
	if r.rechecks.checks < r.entries {
		return fmt.Errorf("of %d entries %.0f were checked", c.entries, r.rechecks.checks)
	}
	return c.Controller.Stop()
}

// run starts the controller and gives what it took until there was nothing left to do.
func (c *controllerBench) run(ctx context.Context) (stretch, error) {
	before, err := c.read(ctx)
	if err != nil {
		return stretch{}, err
	}
	if err := c.Controller.Start(ctx); err != nil {
		return stretch{}, err
	}
	idle, err := c.awaitIdle(ctx)
	if err != nil {
		return stretch{}, err
	}
	after, err := c.read(ctx)
	s := after.since(before)
	s.took = idle.Sub(before.at)
	return s, err
}
