package assemble

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const identityPath = "etc/image-id"

// identity is what an image knows about its own build. The file has the form of os-release(5), whose names
// IMAGE_ID and IMAGE_VERSION it uses.
type identity struct {
	id       string
	version  string
	platform v1.Platform
	built    time.Time
	source   string
}

func (i identity) String() string {
	var file strings.Builder
	for _, line := range [][2]string{
		{"IMAGE_ID", i.id},
		{"IMAGE_VERSION", i.version},
		{"IMAGE_PLATFORM", i.platform.String()},
		{"IMAGE_BUILT", i.built.Format(time.RFC3339)},
		{"IMAGE_ROOTFS", i.source},
	} {
		fmt.Fprintf(&file, "%s=%q\n", line[0], line[1])
	}
	return file.String()
}

// layer holds the one file. Its bytes depend on the identity alone.
func (i identity) layer() (v1.Layer, error) {
	archive, err := i.archive()
	if err != nil {
		return nil, fmt.Errorf("writing /%s: %w", identityPath, err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

func (i identity) archive() ([]byte, error) {
	content := i.String()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     identityPath,
		Mode:     0o644,
		Size:     int64(len(content)),
		ModTime:  i.built,
		Format:   tar.FormatPAX,
	}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(writer, content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
