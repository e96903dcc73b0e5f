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
	"golang.org/x/sync/errgroup"
)

const (
	// imageRepository has images with the tags 0, 1 and so on, of which each has one layer, and is for the board of its number.
	imageRepository = "bench/os"
	// indexRepository has one index, of indexPlatforms.
	indexRepository = "bench/index"
	indexPlatforms  = 4
	// diskRepository has one artifact with a file of diskBytes.
	diskRepository = "bench/disk"
	diskBytes      = 128 << 20
	onlyTag        = "1"
	// signedRepository has what others push into it, and tells what refers to that.
	signedRepository = "bench/signed"
	// countPath is where the server tells how many requests it has had, those for it left out.
	countPath = "/count"
)

// images is a registry over HTTP that counts.
type images struct {
	registry http.Handler
	requests atomic.Int64
}

// newImages is a registry with so many images, an index and a disk image.
func newImages(ctx context.Context, count int) (server, error) {
	s := &images{registry: registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))}
	if err := fill(ctx, s.registry, count); err != nil {
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
	if strings.Contains(r.URL.Path, "/referrers/") && !strings.Contains(r.URL.Path, signedRepository) {
		// The registry itself would read all manifests of the repository for it, each time.
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = io.WriteString(w, noReferrers) // who asks sees whether it arrived
		return
	}
	s.registry.ServeHTTP(w, r)
}

// noReferrers is the answer for every image but those of signedRepository.
const noReferrers = `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}`

// inProcess has a handler answer, without a network between.
type inProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (h inProcess) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body == nil {
		request.Body = http.NoBody // as a server has it
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

func fill(ctx context.Context, into http.Handler, count int) error {
	pusher, err := remote.NewPusher(remote.WithTransport(inProcess{into}))
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(checkers)
	for n := range count {
		group.Go(func() error {
			image, err := numberedImage(n)
			if err != nil {
				return err
			}
			return push(ctx, pusher, imageRepository, fmt.Sprint(n), image)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	index, err := random.Index(256, 1, indexPlatforms)
	if err != nil {
		return err
	}
	if err := push(ctx, pusher, indexRepository, onlyTag, index); err != nil {
		return err
	}
	disk, err := diskImage()
	if err != nil {
		return err
	}
	return push(ctx, pusher, diskRepository, onlyTag, disk)
}

// numberedImage differs from the others in its layer, and says that it is for the board of its number.
func numberedImage(n int) (v1.Image, error) {
	layer := content.NewLayer(fmt.Appendf(nil, "the files of image %d", n), types.OCIUncompressedLayer)
	image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.Architecture, config.OS = string(boards[n%len(boards)].architecture), "linux"
	return mutate.ConfigFile(image, config)
}

func push(ctx context.Context, pusher *remote.Pusher, repository, tag string, what remote.Taggable) error {
	ref, err := name.ParseReference("localhost/" + repository + ":" + tag)
	if err != nil {
		return err
	}
	return pusher.Push(ctx, ref, what)
}

func diskImage() (v1.Image, error) {
	artifact := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.acme.disk.v1+json"), types.OCIManifestSchema1)
	file := bytes.Repeat([]byte("a disk of sectors "), diskBytes/18+1)[:diskBytes]
	return mutate.AppendLayers(artifact, content.NewLayer(file, "application/vnd.acme.qcow2"))
}
