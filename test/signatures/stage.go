package signatures

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"
)

// Fault answers a request in the registry's place, or says that it does not.
type Fault func(w http.ResponseWriter, r *http.Request) (handled bool)

// Registry is one with the referrers API, in memory, in which each case has a repository of its own.
type Registry struct {
	Host string

	mutex  sync.Mutex
	faults map[string]Fault // by repository
	asked  int
}

// NewRegistry starts a registry that ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{faults: map[string]Fault{}}
	inner := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if fault := r.fault(request); fault == nil || !fault(w, request) {
			inner.ServeHTTP(w, request)
		}
	}))
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *Registry) fault(request *http.Request) Fault {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.asked++
	repository, _, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/v2/acme/"), "/")
	return r.faults[repository]
}

// Asked is how many requests there were since it was last called.
func (r *Registry) Asked() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	asked := r.asked
	r.asked = 0
	return asked
}

// Stage is where a case is set up: an image in a repository of its own, and the keys.
type Stage struct {
	t          testing.TB
	registry   *Registry
	repository name.Repository

	// Image is the image that is asked about.
	Image name.Digest
	// Keys are the authority's, as PEM.
	Keys string
	// signer has one of the keys, and stranger none.
	signer, stranger Signer
}

// Set sets a case up in a registry.
func (c Case) Set(t testing.TB, on *Registry) *Stage {
	t.Helper()
	slug := strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, strings.ToLower(c.Name))
	repository, err := name.NewRepository(on.Host + "/acme/" + slug)
	require.NoError(t, err)
	s := &Stage{t: t, registry: on, repository: repository, signer: NewSigner(t, newECDSA(t, p256)), stranger: NewSigner(t, newECDSA(t, p256))}
	s.Keys = s.signer.PEM
	s.Image = s.pushImage("image", types.OCIManifestSchema1)
	c.lay(s)
	return s
}

// fault has a function answer for the registry from now on.
func (s *Stage) fault(fault Fault) {
	s.registry.mutex.Lock()
	defer s.registry.mutex.Unlock()
	_, repository, _ := strings.Cut(s.repository.RepositoryStr(), "/")
	s.registry.faults[repository] = fault
}

func newImage(t testing.TB, content string, mediaType types.MediaType) v1.Image {
	t.Helper()
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, mediaType), static.NewLayer([]byte(content), types.OCILayer))
	require.NoError(t, err)
	return image
}

func (s *Stage) pushImage(content string, mediaType types.MediaType) name.Digest {
	s.t.Helper()
	image := newImage(s.t, content, mediaType)
	require.NoError(s.t, remote.Write(s.repository.Tag(content), image))
	digest, err := image.Digest()
	require.NoError(s.t, err)
	return s.repository.Digest(digest.String())
}

// pushIndex pushes an index of images with the contents, and gives it and the images.
func (s *Stage) pushIndex(contents ...string) (index name.Digest, images []name.Digest) {
	s.t.Helper()
	members, all := newIndex(s.t, contents...)
	for _, image := range members {
		digest, err := image.Digest()
		require.NoError(s.t, err)
		images = append(images, s.repository.Digest(digest.String()))
	}
	require.NoError(s.t, remote.WriteIndex(s.repository.Tag("index"), all))
	digest, err := all.Digest()
	require.NoError(s.t, err)
	return s.repository.Digest(digest.String()), images
}

func newIndex(t testing.TB, contents ...string) (images []v1.Image, index v1.ImageIndex) {
	t.Helper()
	index = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, content := range contents {
		images = append(images, newImage(t, content, types.OCIManifestSchema1))
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[i], Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i]},
		}})
	}
	return images, index
}

// NewIndex makes an image with the content and an index that has it and another.
func NewIndex(t testing.TB, content string) (image v1.Image, index v1.ImageIndex) {
	t.Helper()
	images, index := newIndex(t, content, content+" for another platform")
	return images[0], index
}

// layer is the descriptor of a layer that is pushed; more are further fields, each with a comma before it.
func (s *Stage) layer(mediaType, content, more string) string {
	s.t.Helper()
	require.NoError(s.t, remote.WriteLayer(s.repository, static.NewLayer([]byte(content), types.MediaType(mediaType))))
	return descriptor(mediaType, content, more)
}

func descriptor(mediaType, content, more string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d%s}`, mediaType, digestOf(content), len(content), more)
}

func digestOf(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }

// put pushes a manifest or an index as it is, under a tag or under its digest.
func (s *Stage) put(identifier, mediaType, content string) {
	s.t.Helper()
	address := fmt.Sprintf("http://%s/v2/%s/manifests/%s", s.repository.RegistryStr(), s.repository.RepositoryStr(), identifier)
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut, address, bytes.NewReader([]byte(content)))
	require.NoError(s.t, err)
	request.Header.Set("Content-Type", mediaType)
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	require.Equal(s.t, http.StatusCreated, response.StatusCode, content)
}

const emptyType = "application/vnd.oci.empty.v1+json"

// refer pushes an artifact with the layers that refers to the image, and gives its manifest.
func (s *Stage) refer(layers ...string) (manifest string) {
	s.t.Helper()
	manifest = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":%s,"layers":[%s],"subject":{"mediaType":%q,"digest":%q,"size":1}}`,
		types.OCIManifestSchema1, bundleType, s.layer(emptyType, "{}", ""), strings.Join(layers, ","), types.OCIManifestSchema1, s.Image.DigestStr())
	s.put(digestOf(manifest), string(types.OCIManifestSchema1), manifest)
	return manifest
}

// attach pushes a bundle that refers to the image, and gives the artifact's manifest.
func (s *Stage) attach(bundle string) (manifest string) {
	s.t.Helper()
	return s.refer(s.layer(bundleType, bundle, ""))
}

// signatureTag is where simple signing puts the signatures of the image.
func (s *Stage) signatureTag() string {
	return strings.Replace(s.Image.DigestStr(), ":", "-", 1) + ".sig"
}

// sign puts layers under the signature tag.
func (s *Stage) sign(layers ...string) {
	s.t.Helper()
	s.put(s.signatureTag(), string(types.OCIManifestSchema1), fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`,
		types.OCIManifestSchema1, s.layer(string(types.OCIConfigJSON), "{}", ""), strings.Join(layers, ",")))
}

// simple is a layer of simple signing with the signature as it is written in its annotation.
func (s *Stage) simple(content, written string) string {
	s.t.Helper()
	return s.layer(simpleType, content, fmt.Sprintf(`,"annotations":{"dev.cosignproject.cosign/signature":%q}`, written))
}

// signed is a layer of simple signing by a signer.
func (s *Stage) signed(content string, by Signer) string {
	s.t.Helper()
	return s.simple(content, base64.StdEncoding.EncodeToString(by.sign(s.t, content)))
}

// own is the payload of a good signature of the image.
func (s *Stage) own() string {
	return payload(s.repository.Name(), s.Image.DigestStr(), criticalType)
}

// ownStatement is the statement of a good signature of the image.
func (s *Stage) ownStatement() string {
	return statement(statementType, signPredicate, subjectOf(s.Image.DigestStr()))
}

// bundled is a bundle of a statement by a signer.
func (s *Stage) bundled(statement string, by Signer) string {
	s.t.Helper()
	return bundle(byKey, envelope(inToto, statement, by.sign(s.t, pae(inToto, statement))))
}
