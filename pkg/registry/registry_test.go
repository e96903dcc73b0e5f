package registry_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

// server is a real registry over HTTP. Requests go through its faults first, and are counted.
type server struct {
	t    *testing.T
	host string

	mu       sync.Mutex
	faults   func(w http.ResponseWriter, r *http.Request) (handled bool)
	requests []string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t}
	registry := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		faults := s.faults
		s.mu.Unlock()
		if faults == nil || !faults(w, r) {
			registry.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(backend.Close)
	s.host = strings.TrimPrefix(backend.URL, "http://")
	return s
}

// inject lets a handler answer in the registry's place, and forgets the requests so far.
func (s *server) inject(faults func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.requests = faults, nil
}

// log is the requests since the last inject, with the digests in them shortened to their algorithm.
func (s *server) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	short := make([]string, len(s.requests))
	for i, request := range s.requests {
		short[i], _, _ = strings.Cut(request, "sha256:")
	}
	return short
}

func (s *server) ref(reference string) name.Reference {
	s.t.Helper()
	ref, err := name.ParseReference(s.host + "/" + reference)
	require.NoError(s.t, err)
	return ref
}

func (s *server) push(reference string, image v1.Image) {
	s.t.Helper()
	require.NoError(s.t, remote.Write(s.ref(reference), image))
}

func (s *server) pushIndex(reference string, index v1.ImageIndex) {
	s.t.Helper()
	require.NoError(s.t, remote.WriteIndex(s.ref(reference), index))
}

var built = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newImage is an arm64 image of two layers, one of them in every image of the test.
func newImage(t *testing.T, content string, edits ...func(*v1.ConfigFile)) v1.Image {
	t.Helper()
	base := static.NewLayer([]byte("the base of all"), types.OCILayer)
	top := static.NewLayer([]byte(content), types.OCILayer)
	image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), base, top)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = "linux", "arm64", "v8"
	config.Created = v1.Time{Time: built}
	config.Config.Labels = map[string]string{"containers.bootc": "1", "content": content}
	for _, edit := range edits {
		edit(config)
	}
	image, err = mutate.ConfigFile(image, config)
	require.NoError(t, err)
	return image
}

func digestOf(t *testing.T, x interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	digest, err := x.Digest()
	require.NoError(t, err)
	return digest.String()
}

// newClient may ask this machine by plain HTTP.
func newClient() *registry.Client {
	return registry.New(settings("127.0.0.1: {plainHTTP: true, privateAddresses: true}"))
}

func settings(hosts string) *registry.Settings {
	parsed, err := registry.ParseSettings(map[string]string{"hosts": hosts})
	if err != nil {
		panic(err)
	}
	return parsed
}

func describe(ref name.Reference) (*registry.Description, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return newClient().Describe(ctx, ref, nil)
}

func status(code int, errorCode string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"secret-of-the-server"}]}`, errorCode)
		return true
	}
}

// only restricts faults to requests whose method and path hold all the words.
func only(faults func(http.ResponseWriter, *http.Request) bool, words ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		for _, word := range words {
			if !strings.Contains(r.Method+" "+r.URL.Path, word) {
				return false
			}
		}
		return faults(w, r)
	}
}
