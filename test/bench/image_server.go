package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	content "github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// imageRepository has images with the tags 0, 1 and so on, of which each has one layer.
	imageRepository = "bench/os"
	// indexRepository has one index, of indexPlatforms.
	indexRepository = "bench/index"
	indexPlatforms  = 4
	// diskRepository has one artifact with a file of diskBytes.
	diskRepository = "bench/disk"
	diskBytes      = 128 << 20
	onlyTag        = "1"
	// countPath is where the server tells how many requests it has had, those for it left out.
	countPath = "/count"
)

// images is a registry over HTTP that counts.
type images struct {
	registry http.Handler
	requests atomic.Int64
}

// newImages is a registry with so many images, an index and a disk image.
func newImages(count int) (server, error) {
	s := &images{registry: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	loading := httptest.NewServer(s.registry)
	defer loading.Close()
	if err := fill(strings.TrimPrefix(loading.URL, "http://"), count); err != nil {
		return nil, fmt.Errorf("filling a registry: %w", err)
	}
	return s, nil
}

// Serve implements server.
func (s *images) Serve(_ context.Context, listener net.Listener) error {
	return (&http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}).Serve(listener)
}

func (s *images) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == countPath {
		_, _ = fmt.Fprint(w, s.requests.Load()) // who asks sees whether it arrived
		return
	}
	s.requests.Add(1)
	s.registry.ServeHTTP(w, r)
}

func fill(host string, count int) error {
	for n := range count {
		image, err := random.Image(256, 1)
		if err != nil {
			return err
		}
		if err := push(host, imageRepository, fmt.Sprint(n), func(ref name.Reference) error { return remote.Write(ref, image) }); err != nil {
			return err
		}
	}
	index, err := random.Index(256, 1, indexPlatforms)
	if err != nil {
		return err
	}
	if err := push(host, indexRepository, onlyTag, func(ref name.Reference) error { return remote.WriteIndex(ref, index) }); err != nil {
		return err
	}
	disk, err := diskImage()
	if err != nil {
		return err
	}
	return push(host, diskRepository, onlyTag, func(ref name.Reference) error { return remote.Write(ref, disk) })
}

func push(host, repository, tag string, write func(name.Reference) error) error {
	ref, err := name.ParseReference(host + "/" + repository + ":" + tag)
	if err != nil {
		return err
	}
	return write(ref)
}

func diskImage() (v1.Image, error) {
	artifact := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.acme.disk.v1+json"), types.OCIManifestSchema1)
	file := bytes.Repeat([]byte("a disk of sectors "), diskBytes/18+1)[:diskBytes]
	return mutate.AppendLayers(artifact, content.NewLayer(file, "application/vnd.acme.qcow2"))
}
