// Package image packs files into container images and pushes them: one layer
// on nothing, which is all that a static program needs.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Content is what goes into an image.
type Content struct {
	Files      map[string]string // path in the image -> file on disk
	Links      map[string]string // path in the image -> what the symbolic link says
	Entrypoint []string
	User       string // numeric: a pod that must not run as root is refused when it cannot tell
}

// NonRoot is the user of images that need no other: the number that
// distroless images and ko agree on.
const NonRoot = "65532:65532"

// Build makes the image for one architecture. Equal content gives an equal digest.
func (c Content) Build(architecture string) (v1.Image, error) {
	archive, err := c.tar()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil },
		tarball.WithMediaType(types.OCILayer),
		// The fastest: it is sent over the loopback and unpacked once.
		tarball.WithCompressionLevel(1),
	)
	if err != nil {
		return nil, fmt.Errorf("compress layer: %w", err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("add layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Config = v1.Config{Env: []string{"PATH=/usr/bin:/bin:/ko-app"}, Entrypoint: c.Entrypoint, User: c.User}
	return mutate.ConfigFile(image, config)
}

// Index joins builds of the same content, for programs that pick by platform.
func (c Content) Index(architectures ...string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range architectures {
		image, err := c.Build(architecture)
		if err != nil {
			return nil, err
		}
		platform := &v1.Platform{OS: "linux", Architecture: architecture}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

// tar writes folders before what is in them, and a /tmp for everyone.
func (c Content) tar() ([]byte, error) {
	var out bytes.Buffer
	archive := &archive{Writer: tar.NewWriter(&out), folders: map[string]bool{}}
	if err := archive.folder("tmp", 0o1777); err != nil {
		return nil, err
	}
	for _, target := range slices.Sorted(maps.Keys(c.Files)) {
		if err := archive.file(target, c.Files[target]); err != nil {
			return nil, fmt.Errorf("add %s: %w", target, err)
		}
	}
	for _, target := range slices.Sorted(maps.Keys(c.Links)) {
		header := &tar.Header{Typeflag: tar.TypeSymlink, Linkname: c.Links[target], Mode: 0o777}
		if err := archive.entry(target, header); err != nil {
			return nil, fmt.Errorf("add %s: %w", target, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

type archive struct {
	*tar.Writer
	folders map[string]bool
}

func (a *archive) folder(name string, mode int64) error {
	if name == "." || name == "" || a.folders[name] {
		return nil
	}
	if err := a.folder(path.Dir(name), 0o755); err != nil {
		return err
	}
	a.folders[name] = true
	return a.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode, ModTime: time.Unix(0, 0)})
}

func (a *archive) file(target, source string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := a.entry(target, &tar.Header{Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o755}); err != nil {
		return err
	}
	_, err = a.Write(content)
	return err
}

func (a *archive) entry(target string, header *tar.Header) error {
	header.Name, header.ModTime = strings.TrimPrefix(target, "/"), time.Unix(0, 0)
	if err := a.folder(path.Dir(header.Name), 0o755); err != nil {
		return err
	}
	return a.WriteHeader(header)
}

// Reference is repository:tag with a tag that stands for the content, so that
// an image that was pushed before is recognised, and a changed one is not taken
// for it.
func Reference(repository string, content Content) (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s %q %q %q", runtime.GOARCH, content.Links, content.Entrypoint, content.User)
	for _, target := range slices.Sorted(maps.Keys(content.Files)) {
		file, err := os.ReadFile(content.Files[target])
		if err != nil {
			return "", fmt.Errorf("read what goes into %s: %w", repository, err)
		}
		_, _ = fmt.Fprintf(sum, "%q %x", target, sha256.Sum256(file))
	}
	return fmt.Sprintf("%s:%x", repository, sum.Sum(nil)[:8]), nil
}

// Ensure pushes the image, for this machine's architecture, unless something
// is there under the reference, see Reference.
func Ensure(ctx context.Context, reference string, content Content) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	if _, err := remote.Head(tag, remote.WithContext(ctx)); err == nil {
		return nil
	}
	image, err := content.Build(runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("pack %s: %w", reference, err)
	}
	if err := remote.Write(tag, image, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("push %s: %w", reference, err)
	}
	return nil
}

// PushIndex pushes an index of the content for the architectures.
func PushIndex(ctx context.Context, reference string, content Content, architectures ...string) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	index, err := content.Index(architectures...)
	if err != nil {
		return fmt.Errorf("pack %s: %w", reference, err)
	}
	if err := remote.WriteIndex(tag, index, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("push %s: %w", reference, err)
	}
	return nil
}
