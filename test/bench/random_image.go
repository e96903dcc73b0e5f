package main

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// pushRandom puts an image into a registry that was never in one.
func pushRandom(ctx context.Context, reference string) (name.Digest, error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return name.Digest{}, err
	}
	image, err := random.Image(1024, 2)
	if err != nil {
		return name.Digest{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	if err := remote.Write(tag, image, remote.WithContext(ctx)); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", reference, err)
	}
	return tag.Digest(digest.String()), nil
}
