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
	// stallLimit is how long a blob may bring no byte before the registry counts as hung.
	stallLimit = time.Minute
)

var errStalled = errors.New("no more bytes arrive")

// checkContent reads every blob once; the registry package hashes what is read.
func (v *Verifier) checkContent(ctx context.Context, s subject, d *registry.Description) error {
	blobs, err := v.Registry.Blobs(ctx, s.ref.Context(), v.Keychain)
	if err != nil {
		return err
	}
	p := &progress{log: v.Log, blobs: len(d.Blobs), total: d.SizeBytes, limit: stallLimit, shown: time.Now()}
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

func read(ctx context.Context, blobs *registry.Blobs, blob registry.Blob, p *progress, buffer []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.stall = time.AfterFunc(p.limit, func() { cancel(errStalled) })
	defer p.stall.Stop()
	err := readAll(ctx, blobs, blob, p, buffer)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return &finding{Undecided, string(registry.RegistryUnavailable), fmt.Sprintf("the registry hangs at the blob %s (%v): check it, and run this again", blob.Digest, errStalled)}
	}
	return err
}

func readAll(ctx context.Context, blobs *registry.Blobs, blob registry.Blob, to io.Writer, buffer []byte) error {
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
	limit         time.Duration // without a byte, until the registry counts as hung
	stall         *time.Timer
}

func (p *progress) begin(blob registry.Blob) {
	p.blob = blob
	p.number++
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	p.read += int64(len(b))
	p.stall.Reset(p.limit)
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
