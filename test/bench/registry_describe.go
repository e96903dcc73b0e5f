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
		return once(ctx, references, func(ctx context.Context, ref name.Reference) error {
			_, err := client.Describe(ctx, ref, nil)
			return err
		})
	}
	theirs := func(ctx context.Context) (float64, error) {
		puller, err := newPuller()
		if err != nil {
			return 0, err
		}
		return once(ctx, references, func(ctx context.Context, ref name.Reference) error { return pull(ctx, puller, ref) })
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

// once does something for each reference, for as many at a time as there are checkers, and gives the number in a second.
func once(ctx context.Context, references []name.Reference, do func(context.Context, name.Reference) error) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checkers)
	began := time.Now()
	for _, ref := range references {
		group.Go(func() error { return do(ctx, ref) })
	}
	err := group.Wait()
	return float64(len(references)) / time.Since(began).Seconds(), err
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
		ours, err := l.counted(ctx, func() error { _, err := client.Describe(ctx, ref, nil); return err })
		if err != nil {
			return nil, err
		}
		theirs, err := l.counted(ctx, func() error {
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
	again, err := l.counted(ctx, func() error { _, err := client.Head(ctx, ref, nil); return err })
	if err != nil {
		return nil, err
	}
	return append(figures, newFigure("registry/recheck/requests", again, 1, "requests", lower, 1)), nil
}

// counted gives how many requests something costs the registry.
func (l *registryBench) counted(ctx context.Context, do func() error) (float64, error) {
	before, err := l.count(ctx)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := l.count(ctx)
	return after - before, err
}

func (l *registryBench) count(ctx context.Context) (float64, error) {
	a, err := fetch(ctx, l.registry.url(countPath))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(a.body), 64)
}
