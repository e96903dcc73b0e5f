package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"imagecatalog.dev/catalog/pkg/registry"
)

// content is reading a file of a disk image with its digest proven, against GET and SHA-256 of the same bytes.
func (l *registryBench) content(ctx context.Context) ([]figure, error) {
	ref, err := l.reference(diskRepository, onlyTag)
	if err != nil {
		return nil, err
	}
	client := registry.New(l.settings)
	description, err := client.Describe(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	file, buffer := description.Files[0], make([]byte, 256<<10)
	ours := func(ctx context.Context) (float64, error) {
		return megabytesPerSecond(func() error {
			blobs, err := client.Blobs(ctx, ref.Context(), nil)
			if err != nil {
				return err
			}
			content, err := blobs.Open(ctx, registry.Blob{Digest: file.Digest, SizeBytes: file.SizeBytes})
			if err != nil {
				return err
			}
			_, err = io.CopyBuffer(onlyWriter{io.Discard}, content, buffer)
			return errors.Join(err, content.Close())
		})
	}
	theirs := func(ctx context.Context) (float64, error) {
		return megabytesPerSecond(func() error { return getAndHash(ctx, file.URL, file.Digest, buffer) })
	}
	rate, plainRate, err := l.inTurns(ctx, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []figure{newFigure("registry/content/rate", rate, plainRate, "MB/s", higher, 0.9)}, nil
}

// onlyWriter hides that io.Discard reads by itself, with a buffer of its own.
type onlyWriter struct{ io.Writer }

func megabytesPerSecond(read func() error) (float64, error) {
	began := time.Now()
	err := read()
	return diskBytes / 1e6 / time.Since(began).Seconds(), err
}

func getAndHash(ctx context.Context, url, digest string, buffer []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.CopyBuffer(onlyWriter{hash}, response.Body, buffer)
	if got := fmt.Sprintf("sha256:%x", hash.Sum(nil)); err == nil && got != digest {
		err = fmt.Errorf("GET %s: the bytes have %s", url, got)
	}
	return errors.Join(err, response.Body.Close())
}
