package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
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

func newLoad(ctx context.Context, address, target string, connections int) (*load, error) {
	l := &load{}
	for range connections {
		c, err := connect(ctx, address, target)
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

// connect prepares to ask for a target (path and query) again and again.
func connect(ctx context.Context, address, target string) (*connection, error) {
	socket, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to a server under load: %w", err)
	}
	return &connection{
		socket:  socket,
		answers: bufio.NewReaderSize(socket, 64<<10),
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: %s\r\n\r\n", target, address, credentials),
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
	_, err = c.answers.Discard(length)
	return err
}

// readHeader gives the length of the body in bytes.
func (c *connection) readHeader() (int, error) {
	length := -1
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
		}
	}
	if length < 0 {
		return 0, errors.New("the answer does not say its length")
	}
	return length, nil
}
