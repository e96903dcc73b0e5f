package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	// stallTime is how long a registry may take to send stallBytes of a body, or what is left of it.
	stallTime  = 30 * time.Second
	stallBytes = 16 << 10
	// maxErrorBytes is how much of an answer that is no success is read.
	maxErrorBytes = 8 << 10
)

// watch ends an answer that comes in drips, and takes in whole, and bounded, one that is no success: nobody then has to
// close it for its connection to be of use again.
type watch struct {
	next     http.RoundTripper
	patience time.Duration // for stallBytes
}

func (w *watch) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	response, err := w.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	body := &dripping{inner: response.Body, cancel: cancel, ctx: ctx, patience: w.patience}
	if response.StatusCode < http.StatusMultipleChoices {
		response.Body = body
		return response, nil
	}
	content, err := io.ReadAll(io.LimitReader(body, maxErrorBytes))
	_ = body.Close() // all of it that counts was read
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	return response, nil
}

// failureOf gives what an answer that is no success says, and leaves it to be read again.
func failureOf(response *http.Response) error {
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	failure := transport.CheckError(response)
	response.Body = io.NopCloser(bytes.NewReader(content))
	return failure
}

var errStalled = faultf(RegistryUnavailable, "its answer comes too slowly, or not at all")

// dripping counts the time that is spent waiting for bytes, not that which their reader takes.
type dripping struct {
	inner  io.ReadCloser
	ctx    context.Context //nolint:containedctx // of the request whose answer this is
	cancel context.CancelCauseFunc
	timer  *time.Timer

	patience, waited time.Duration // for the bytes in got
	got              int
}

func (d *dripping) Read(p []byte) (int, error) {
	began := time.Now()
	if left := d.patience - d.waited; d.timer == nil {
		d.timer = time.AfterFunc(left, func() { d.cancel(errStalled) })
	} else {
		d.timer.Reset(left)
	}
	n, err := d.inner.Read(p)
	d.timer.Stop()
	if d.got += n; d.got >= stallBytes {
		d.got, d.waited = 0, 0
	} else {
		d.waited += time.Since(began)
	}
	if err != nil && errors.Is(context.Cause(d.ctx), errStalled) {
		return n, errStalled
	}
	return n, err
}

func (d *dripping) Close() error {
	err := d.inner.Close()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.cancel(nil)
	return err
}

// observed tells once how the reading of a body ended: with an error, or not.
type observed struct {
	io.ReadCloser
	once  sync.Once
	ended func(error)
}

func (o *observed) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if err != nil {
		o.once.Do(func() {
			if errors.Is(err, io.EOF) {
				o.ended(nil)
			} else {
				o.ended(err)
			}
		})
	}
	return n, err
}

func (o *observed) Close() error {
	o.once.Do(func() { o.ended(nil) })
	return o.ReadCloser.Close()
}
