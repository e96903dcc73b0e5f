package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"imagecatalog.dev/catalog/pkg/registry"
)

// checkers is how many look-ups are under way at a time.
const checkers = 16

// registryBench measures the registry layer with all that it does for a request against clients that do none of it. The registry
// is a process of its own; both sides ask it from this one, in turns.
type registryBench struct {
	images   int
	rounds   int
	round    time.Duration // of what is done for a time
	lookUps  int           // of a round in which they are due one by one
	progress *log.Logger

	registry *process
	settings *registry.Settings
}

func newRegistryBench(s settings) *registryBench {
	l := &registryBench{images: 1024, rounds: 5, round: 1500 * time.Millisecond, lookUps: 300, progress: s.progress}
	if s.short {
		l.images, l.rounds, l.round, l.lookUps = 256, 3, 300*time.Millisecond, 100
	}
	return l
}

func registryLayer(s settings) measurement {
	return measurement{
		figures: []string{
			"registry/check/rate", "registry/check/allocations", "registry/describe/rate",
			"registry/describe/requests/image", "registry/describe/requests/index", "registry/recheck/requests", "registry/content/rate",
		},
		measure: newRegistryBench(s).measure,
	}
}

func (l *registryBench) measure(ctx context.Context) (_ []figure, err error) {
	if l.registry, err = start(ctx, "-images", strconv.Itoa(l.images)); err != nil {
		return nil, fmt.Errorf("measuring the registry layer: %w", err)
	}
	defer func() { err = errors.Join(err, l.registry.stop()) }()
	l.settings, err = registry.ParseSettings(map[string]string{"hosts": fmt.Sprintf(
		"%q: {plainHTTP: true, privateAddresses: true, maxConcurrent: %d, requestsPerSecond: 100000}", l.registry.address, checkers)})
	if err != nil {
		return nil, err
	}
	var all []figure
	for _, measure := range []func(context.Context) ([]figure, error){l.check, l.describe, l.requests, l.content} {
		figures, err := measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("measuring the registry layer: %w", err)
		}
		all = append(all, figures...)
	}
	return all, nil
}

func (l *registryBench) reference(repository, tag string) (name.Reference, error) {
	return name.ParseReference(l.registry.address + "/" + repository + ":" + tag)
}

// references are those of all images.
func (l *registryBench) references() ([]name.Reference, error) {
	references := make([]name.Reference, l.images)
	for n := range references {
		var err error
		if references[n], err = l.reference(imageRepository, strconv.Itoa(n)); err != nil {
			return nil, err
		}
	}
	return references, nil
}

// inTurns gives what the rounds of two came to. The first of each warms up and does not count.
func (l *registryBench) inTurns(ctx context.Context, a, b func(context.Context) (float64, error)) (ofA, ofB float64, err error) {
	var as, bs []float64
	for range 1 + max(l.rounds, 1) {
		runtime.GC() // neither pays for the other's garbage
		value, err := a(ctx)
		if err != nil {
			return 0, 0, err
		}
		as = append(as, value)
		runtime.GC()
		if value, err = b(ctx); err != nil {
			return 0, 0, err
		}
		bs = append(bs, value)
	}
	return median(as[1:]), median(bs[1:]), nil
}

// check is the re-check of an image that did not change, against a HEAD of net/http.
func (l *registryBench) check(ctx context.Context) ([]figure, error) {
	references, err := l.references()
	if err != nil {
		return nil, err
	}
	client := registry.New(l.settings)
	ours := func(ctx context.Context, ref name.Reference) error {
		_, err := client.Head(ctx, ref, nil)
		return err
	}
	plain := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: checkers}}
	theirs := func(ctx context.Context, ref name.Reference) error { return head(ctx, plain, ref) }

	rate, plainRate, err := l.inTurns(ctx,
		func(ctx context.Context) (float64, error) { return forAWhile(ctx, l.round, references, ours) },
		func(ctx context.Context) (float64, error) { return forAWhile(ctx, l.round, references, theirs) })
	if err != nil {
		return nil, err
	}
	allocations, err := allocationsOf(ctx, references, ours)
	if err != nil {
		return nil, err
	}
	plainAllocations, err := allocationsOf(ctx, references, theirs)
	if err != nil {
		return nil, err
	}
	return []figure{
		newFigure("registry/check/rate", rate, plainRate, "checks/s", higher, 0.5),
		withoutGoal("registry/check/allocations", allocations, plainAllocations, "allocations"),
	}, nil
}

func head(ctx context.Context, client *http.Client, ref name.Reference) error {
	url := "http://" + ref.Context().RegistryStr() + "/v2/" + ref.Context().RepositoryStr() + "/manifests/" + ref.Identifier()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("HEAD %s: %s", url, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// forAWhile asks again and again, by so many callers as there are checkers, each for references of its own: look-ups that
// are alike would be one. It gives the number in a second.
func forAWhile(ctx context.Context, duration time.Duration, references []name.Reference, ask func(context.Context, name.Reference) error) (float64, error) {
	var asked atomic.Int64
	var group errgroup.Group
	began := time.Now()
	for caller := range checkers {
		group.Go(func() error {
			for n := caller; time.Since(began) < duration; n += checkers {
				if err := ask(ctx, references[n%len(references)]); err != nil {
					return err
				}
				asked.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(asked.Load()) / time.Since(began).Seconds(), err
}

func allocationsOf(ctx context.Context, references []name.Reference, ask func(context.Context, name.Reference) error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, ref := range references {
		if err := ask(ctx, ref); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(len(references)), nil
}
