package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long an answer may take after the end of its round.
const patience = 10 * time.Second

// load is a closed loop over kept connections: each sends its next request when it has read the answer to the last.
//
// It shares the machine with the server it measures, so it does as little as can be done for a request: one write of
// bytes made beforehand, and reading the status and the length of the answer.
type load struct{ connections []*connection }

// sample is what a round of load came to.
type sample struct {
	perSecond float64
	p99       time.Duration // from sending a request to having read all of its answer
}

func newLoad(ctx context.Context, on endpoint, connections int) (*load, error) {
	l := &load{}
	for range connections {
		c, err := connect(ctx, on)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.connections = append(l.connections, c)
	}
	return l, nil
}

func (l *load) close() error {
	var errs []error
	for _, c := range l.connections {
		errs = append(errs, c.socket.Close())
	}
	return errors.Join(errs...)
}

// round asks on all connections for as long as it is told. An answer other than 200 is an error.
func (l *load) round(duration time.Duration) (sample, error) {
	var group errgroup.Group
	began := time.Now()
	end := began.Add(duration)
	for _, c := range l.connections {
		group.Go(func() error { return c.askUntil(end) })
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	took := time.Since(began)
	var latencies []time.Duration
	for _, c := range l.connections {
		latencies = slices.Concat(latencies, c.latencies)
	}
	return sample{perSecond: float64(len(latencies)) / took.Seconds(), p99: percentile(latencies, 99)}, nil
}

type connection struct {
	socket    net.Conn
	answers   *bufio.Reader
	request   []byte
	latencies []time.Duration // of the latest round
}

// endpoint is what is asked again and again, and by whom.
type endpoint struct {
	address, target string // host:port; path and query
	credentials     string // what Authorization says
	tls             *tls.Config
}

func (e endpoint) dial(ctx context.Context) (net.Conn, error) {
	if e.tls == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", e.address)
	}
	return (&tls.Dialer{Config: e.tls}).DialContext(ctx, "tcp", e.address)
}

// connect prepares to ask.
func connect(ctx context.Context, on endpoint) (*connection, error) {
	socket, err := on.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to a server under load: %w", err)
	}
	return &connection{
		socket:  socket,
		answers: bufio.NewReaderSize(socket, 64<<10),
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: %s\r\n\r\n",
			on.target, on.address, on.credentials),
	}, nil
}

func (c *connection) askUntil(end time.Time) error {
	c.latencies = c.latencies[:0]
	if err := c.socket.SetDeadline(end.Add(patience)); err != nil {
		return err
	}
	for began := time.Now(); began.Before(end); {
		if err := c.ask(); err != nil {
			return fmt.Errorf("asking %s: %w", c.socket.RemoteAddr(), err)
		}
		answered := time.Now()
		c.latencies = append(c.latencies, answered.Sub(began))
		began = answered
	}
	return nil
}

func (c *connection) ask() error {
	if _, err := c.socket.Write(c.request); err != nil {
		return err
	}
	status, err := c.answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the answer is %q", bytes.TrimSpace(status))
	}
	length, err := c.readHeader()
	if err != nil {
		return err
	}
	if length == chunked {
		return c.discardChunks()
	}
	_, err = c.answers.Discard(length)
	return err
}

// chunked is the length of a body that is sent in chunks (RFC 9112, section 7.1).
const chunked = -1

func (c *connection) discardChunks() error {
	if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(c.answers)); err != nil {
		return err
	}
	_, err := c.answers.Discard(len("\r\n"))
	return err
}

// readHeader gives the length of the body in bytes, or chunked.
func (c *connection) readHeader() (int, error) {
	length, known := chunked, false
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
			known = true
		}
		known = known || bytes.Equal(line, []byte("Transfer-Encoding: chunked"))
	}
	if !known {
		return 0, errors.New("the answer does not say its length")
	}
	return length, nil
}
