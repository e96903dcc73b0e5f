//go:build registries

package registries

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What each registry holds: an image under many tags, with signatures, and an index.
const (
	imageTag       = "acme/os:1"
	indexTag       = "acme/multi:1"
	platformCount  = 3
	tagCount       = 64 // acme/os:look-0 and so on: as many look-ups that are not the same one
	signatureCount = 5
)

var built = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newImage is the same bytes at every call.
func newImage(architecture string) (v1.Image, error) {
	layer := static.NewLayer([]byte("the system for "+architecture), types.OCILayer)
	image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", architecture, v1.Time{Time: built}
	return mutate.ConfigFile(image, config)
}

func newIndex() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i := range platformCount {
		architecture := fmt.Sprintf("arch%d", i)
		image, err := newImage(architecture)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	return index, nil
}

// newSignature is an artifact that names the image as its subject.
func newSignature(number int, image v1.Image) (v1.Image, error) {
	manifest, err := image.RawManifest()
	if err != nil {
		return nil, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	text := static.NewLayer(fmt.Appendf(nil, "signature %d", number), "application/vnd.example.signature")
	artifact, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.example.signature.config"), types.OCIManifestSchema1), text)
	if err != nil {
		return nil, err
	}
	signature, ok := mutate.Subject(artifact, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: int64(len(manifest))}).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("signature %d is no image", number)
	}
	return signature, nil
}

// fillAll pushes to the registries themselves, past all proxies: what they record is what the catalog's client sends.
func fillAll(ctx context.Context, distribution, debianAddress string) error {
	if err := fill(ctx, distribution); err != nil {
		return err
	}
	server := httptest.NewServer(modern.handler)
	defer server.Close()
	if err := fill(ctx, strings.TrimPrefix(server.URL, "http://")); err != nil {
		return err
	}
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}
	user, password := nextReader()
	return fill(ctx, debianAddress, remote.WithTransport(trusting), remote.WithAuth(&authn.Basic{Username: user, Password: password}))
}

func fill(ctx context.Context, host string, options ...remote.Option) error {
	options = append(options, remote.WithContext(ctx))
	image, err := newImage("arch0")
	if err != nil {
		return err
	}
	repository, err := name.NewRepository(host + "/acme/os")
	if err != nil {
		return err
	}
	if err := remote.Write(repository.Tag("1"), image, options...); err != nil {
		return fmt.Errorf("pushing an image: %w", err)
	}
	for i := range tagCount {
		if err := remote.Tag(repository.Tag(fmt.Sprintf("look-%d", i)), image, options...); err != nil {
			return fmt.Errorf("tagging an image: %w", err)
		}
	}
	if err := sign(repository, image, options); err != nil {
		return fmt.Errorf("pushing signatures: %w", err)
	}
	index, err := newIndex()
	if err != nil {
		return err
	}
	tag, err := name.NewTag(host + "/" + indexTag)
	if err != nil {
		return err
	}
	return remote.WriteIndex(tag, index, options...)
}

func sign(repository name.Repository, image v1.Image, options []remote.Option) error {
	for i := range signatureCount {
		signature, err := newSignature(i, image)
		if err != nil {
			return err
		}
		digest, err := signature.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(repository.Digest(digest.String()), signature, options...); err != nil {
			return err
		}
	}
	return nil
}
