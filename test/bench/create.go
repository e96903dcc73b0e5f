package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalog "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/plane"
)

// controlPlaneVariable names the kubeconfig of a control plane without nodes.
const controlPlaneVariable = "CONTROL_PLANE_KUBECONFIG"

func controlPlaneKubeconfig() (string, error) {
	if kubeconfig := os.Getenv(controlPlaneVariable); kubeconfig != "" {
		return kubeconfig, nil
	}
	return "", fmt.Errorf("missing in the environment: %s; make bench sets it", controlPlaneVariable)
}

// createEntries measures creating entries, each of another image, through the API server with the webhook, against the
// same without webhook configurations: what remains is the price of admission. A third way to create them, with webhooks
// that do nothing, tells what of this price is the API server's for asking. Nobody reconciles.
type createEntries struct {
	*plane.Plane
	name        string
	connections int
	rounds      int
	entries     int // of a round
	profiles    string
	progress    *log.Logger

	empty *emptyWebhooks
	parts []part
}

func createEntry(s settings) measurement {
	c := &createEntries{connections: 32, rounds: 5, entries: 1000, profiles: s.profiles, progress: s.progress}
	c.name = fmt.Sprintf("create/connections=%d", c.connections)
	if s.short {
		c.rounds, c.entries = 3, 300
	}
	return measurement{figures: []string{c.rateName(), c.p99Name(), c.cpuName(), c.callsName()}, measure: c.measure}
}

func (c *createEntries) rateName() string  { return c.name + "/rate" }
func (c *createEntries) p99Name() string   { return c.name + "/p99" }
func (c *createEntries) cpuName() string   { return c.name + "/cpu" }
func (c *createEntries) callsName() string { return c.name + "/calls" }

func (c *createEntries) measure(ctx context.Context) ([]figure, error) {
	figures, err := c.onPlane(ctx)
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", c.name, err)
	}
	return figures, nil
}

// onPlane runs one replica of the webhook: with several, connections would pass through a balancer, which costs what no
// cluster pays.
func (c *createEntries) onPlane(ctx context.Context) (_ []figure, err error) {
	kubeconfig, err := controlPlaneKubeconfig()
	if err != nil {
		return nil, err
	}
	if c.Plane, err = plane.Start(ctx, kubeconfig, 1); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close(false)) }()
	if c.empty, err = newEmptyWebhooks(ctx, c.Plane); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.empty.close()) }()
	if c.parts, err = partsOf(c.Plane, c.empty); err != nil {
		return nil, err
	}
	endProfiles := c.startProfiles(ctx)
	t, err := c.takeTurns(ctx)
	if err := errors.Join(err, endProfiles()); err != nil {
		return nil, err
	}
	c.progress.Printf("%s: milliseconds of CPU for an entry\n%s", c.name, cpuTable(c.parts, t.rows()))
	return c.figures(t), nil
}

func (c *createEntries) figures(t *turns) []figure {
	p99 := newFigure(c.p99Name(), median(p99s(t.admitted.samples)), median(p99s(t.stored.samples)), "ms", lower, 0)
	cpu := newFigure(c.cpuName(), t.admitted.meanCPU().sum(), t.stored.meanCPU().sum(), "ms", lower, 0)
	calls := newFigure(c.callsName(), median(rates(t.admitted.samples)), median(rates(t.called.samples)), "entries/s", higher, 0)
	p99.Goal, cpu.Goal, calls.Goal = nil, nil, nil
	return []figure{
		newFigure(c.rateName(), median(rates(t.admitted.samples)), median(rates(t.stored.samples)), "entries/s", higher, 0.5),
		p99, cpu, calls,
	}
}

// turns are the rounds of the three ways to create entries.
type turns struct {
	stored   rounds // without webhooks
	called   rounds // with webhooks that do nothing
	admitted rounds // with the catalog's
}

func (t *turns) rows() []cpuRow {
	return []cpuRow{
		{"without webhooks", t.stored.meanCPU()},
		{"webhooks that do nothing", t.called.meanCPU()},
		{"the catalog's webhook", t.admitted.meanCPU()},
	}
}

// rounds are those of one way to create entries.
type rounds struct {
	samples []sample
	cpu     []cpuTime
}

// add is for what a round returns.
func (r *rounds) add(s sample, cpu cpuTime, err error) error {
	r.samples, r.cpu = append(r.samples, s), append(r.cpu, cpu)
	return err
}

func (r *rounds) last() float64 { return r.samples[len(r.samples)-1].perSecond }

func (r *rounds) meanCPU() cpuTime { return meanOf(r.cpu) }

// takeTurns gives the rounds of all ways, after one of each to warm up.
func (c *createEntries) takeTurns(ctx context.Context) (*turns, error) {
	if err := c.turn(ctx, &turns{}); err != nil {
		return nil, err
	}
	t := &turns{}
	for n := range c.rounds {
		if err := c.turn(ctx, t); err != nil {
			return nil, err
		}
		c.progress.Printf("%s: round %d: %.0f entries/s with the webhook, %.0f with webhooks that do nothing, %.0f without",
			c.name, n+1, t.admitted.last(), t.called.last(), t.stored.last())
	}
	return t, nil
}

func (c *createEntries) turn(ctx context.Context, t *turns) error {
	if err := t.admitted.add(c.round(ctx)); err != nil {
		return err
	}
	return c.WithoutWebhook(ctx, func() error {
		if err := t.stored.add(c.round(ctx)); err != nil {
			return err
		}
		return c.empty.while(ctx, func() error { return t.called.add(c.round(ctx)) })
	})
}

// round creates entries in a namespace of its own and deletes them, and the claims on their images, again. What is
// measured is the creating.
func (c *createEntries) round(ctx context.Context) (_ sample, _ cpuTime, err error) {
	namespace, err := c.Kube.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}, metav1.CreateOptions{})
	if err != nil {
		return sample{}, nil, err
	}
	entries := c.Catalog.ImagecatalogV1alpha1().CatalogImages(namespace.Name)
	defer func() { err = errors.Join(err, c.clean(ctx, entries)) }()
	before, err := readCPU(c.parts)
	if err != nil {
		return sample{}, nil, err
	}
	s, err := c.create(ctx, entries)
	if err != nil {
		return sample{}, nil, err
	}
	after, err := readCPU(c.parts)
	return s, after.since(before, c.entries), err
}

// create lets all workers create their entries.
func (c *createEntries) create(ctx context.Context, entries catalog.CatalogImageInterface) (sample, error) {
	latencies := make([][]time.Duration, c.connections)
	var group errgroup.Group
	began := time.Now()
	for worker := range c.connections {
		group.Go(func() (err error) {
			latencies[worker], err = c.createEvery(ctx, entries, worker)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	took := time.Since(began)
	return sample{perSecond: float64(c.entries) / took.Seconds(), p99: percentile(slices.Concat(latencies...), 99)}, nil
}

// createEvery creates a worker's share of the entries, one after the other.
func (c *createEntries) createEvery(ctx context.Context, entries catalog.CatalogImageInterface, worker int) ([]time.Duration, error) {
	var latencies []time.Duration
	for n := worker; n < c.entries; n += c.connections {
		made := entry(n)
		began := time.Now()
		_, err := entries.Create(ctx, &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Name: made.Name}, Spec: made.Spec}, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("creating an entry: %w", err)
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}

func (c *createEntries) clean(ctx context.Context, entries catalog.CatalogImageInterface) error {
	return errors.Join(
		entries.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
		c.Kube.CoordinationV1().Leases(plane.SystemNamespace).DeleteCollection(ctx, metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: claim.StateLabel}),
	)
}

// startProfiles takes a CPU profile of the webhook while the rounds go on, if profiles are wanted.
func (c *createEntries) startProfiles(ctx context.Context) (end func() error) {
	if c.profiles == "" {
		return func() error { return nil }
	}
	ended := make(chan error, 1)
	go func() { ended <- c.profile(ctx) }()
	return func() error { return <-ended }
}

func (c *createEntries) profile(ctx context.Context) error {
	if err := switchProfilesOn(ctx, c.Plane); err != nil {
		return err
	}
	return takeProfile(ctx, c.Webhooks[0], c.rounds*2, filepath.Join(c.profiles, strings.ReplaceAll(c.name, "/", "-")+".pprof"))
}
