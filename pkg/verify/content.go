package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"imagecatalog.dev/catalog/pkg/registry"
)

const (
	// bufferBytes is all the memory that the check of contents takes, whatever the size of the image.
	bufferBytes = 256 << 10
	// progressInterval is how often a long blob shows that it moves.
	progressInterval = 5 * time.Second
)

// checkContent reads every blob once; the registry package hashes what is read.
func (v *Verifier) checkContent(ctx context.Context, s subject, d *registry.Description) error {
	blobs, err := v.Registry.Blobs(ctx, s.ref.Context(), v.Keychain)
	if err != nil {
		return err
	}
	p := &progress{log: v.Log, blobs: len(d.Blobs), total: d.SizeBytes, shown: time.Now()}
	buffer := make([]byte, bufferBytes)
	for _, blob := range d.Blobs {
		p.begin(blob)
		if err := read(ctx, blobs, blob, p, buffer); err != nil {
			return err
		}
		p.show()
	}
	return nil
}

func read(ctx context.Context, blobs *registry.Blobs, blob registry.Blob, to io.Writer, buffer []byte) error {
	content, err := blobs.Open(ctx, blob)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(to, content, buffer)
	return errors.Join(err, content.Close())
}

// progress counts the bytes that pass and says now and then how far it is.
type progress struct {
	log           io.Writer
	blob          registry.Blob
	number, blobs int
	read, total   int64
	shown         time.Time
}

func (p *progress) begin(blob registry.Blob) {
	p.blob = blob
	p.number++
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	p.read += int64(len(b))
	if time.Since(p.shown) >= progressInterval {
		p.show()
	}
	return len(b), nil
}

func (p *progress) show() {
	p.shown = time.Now()
	_, _ = fmt.Fprintf(p.log, "         content   blob %d of %d, %s of %s: %.19s\n", p.number, p.blobs, megabytes(p.read), megabytes(p.total), p.blob.Digest)
}

// megabytes writes a size in units of 10^6 bytes.
func megabytes(size int64) string {
	return fmt.Sprintf("%.1f MB", float64(size)/1e6)
}
