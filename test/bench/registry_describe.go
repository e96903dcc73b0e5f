package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"imagecatalog.dev/catalog/pkg/registry"
)

// describe is the first check of images, against a loop that pulls their manifests and configurations. Each round has a
// new client: none of the images is known to it.
func (l *registryBench) describe(ctx context.Context) ([]figure, error) {
	references, err := l.references()
	if err != nil {
		return nil, err
	}
	ours := func(ctx context.Context) (float64, error) {
		client := registry.New(l.settings)
		return once(ctx, checkers, references, func(ctx context.Context, ref name.Reference) error {
			_, err := client.Describe(ctx, ref, nil)
			return err
		})
	}
	theirs := func(ctx context.Context) (float64, error) {
		puller, err := newPuller()
		if err != nil {
			return 0, err
		}
		return once(ctx, checkers, references, func(ctx context.Context, ref name.Reference) error { return pull(ctx, puller, ref) })
	}
	rate, plainRate, err := l.inTurns(ctx, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []figure{newFigure("registry/describe/rate", rate, plainRate, "images/s", higher, 0.8)}, nil
}

func newPuller() (*remote.Puller, error) {
	return remote.NewPuller(remote.WithTransport(&http.Transport{MaxIdleConnsPerHost: checkers}))
}

// pull gets what a description is made of: the manifests and configurations.
func pull(ctx context.Context, puller *remote.Puller, ref name.Reference) error {
	descriptor, err := puller.Get(ctx, ref)
	if err != nil {
		return err
	}
	if !descriptor.MediaType.IsIndex() {
		image, err := descriptor.Image()
		if err != nil {
			return err
		}
		return readImage(image)
	}
	index, err := descriptor.ImageIndex()
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, child := range manifest.Manifests {
		image, err := index.Image(child.Digest)
		if err != nil {
			return err
		}
		if err := readImage(image); err != nil {
			return err
		}
	}
	return nil
}

func readImage(image v1.Image) error {
	if _, err := image.Manifest(); err != nil {
		return err
	}
	_, err := image.ConfigFile()
	return err
}

// once does something for each of many, for so many at a time, and gives the number in a second.
func once[T any](ctx context.Context, atATime int, all []T, do func(context.Context, T) error) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	began := time.Now()
	for _, one := range all {
		group.Go(func() error { return do(ctx, one) })
	}
	err := group.Wait()
	return float64(len(all)) / time.Since(began).Seconds(), err
}

// requests counts those of a first check of an image and of an index, and of a re-check.
func (l *registryBench) requests(ctx context.Context) ([]figure, error) {
	var figures []figure
	client := registry.New(l.settings)
	for kind, repository := range map[string]string{"image": imageRepository, "index": indexRepository} {
		ref, err := l.reference(repository, onlyTag)
		if err != nil {
			return nil, err
		}
		client = registry.New(l.settings)
		ours, err := l.registry.counted(ctx, func() error { _, err := client.Describe(ctx, ref, nil); return err })
		if err != nil {
			return nil, err
		}
		theirs, err := l.registry.counted(ctx, func() error {
			puller, err := newPuller()
			if err != nil {
				return err
			}
			return pull(ctx, puller, ref)
		})
		if err != nil {
			return nil, err
		}
		figures = append(figures, newFigure("registry/describe/requests/"+kind, ours, theirs, "requests", lower, 1))
	}
	ref, err := l.reference(imageRepository, onlyTag)
	if err != nil {
		return nil, err
	}
	again, err := l.registry.counted(ctx, func() error { _, err := client.Head(ctx, ref, nil); return err })
	if err != nil {
		return nil, err
	}
	return append(figures, newFigure("registry/recheck/requests", again, 1, "requests", lower, 1)), nil
}

// counted gives how many requests something costs the registry.
func (p *process) counted(ctx context.Context, do func() error) (float64, error) {
	before, err := p.count(ctx)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := p.count(ctx)
	return after - before, err
}

// count is how many requests a registry has had.
func (p *process) count(ctx context.Context) (float64, error) {
	a, err := fetch(ctx, p.url(countPath))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(a.body), 64)
}
