package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Balancer spreads TCP connections over backends in turns, as a Service does. A backend that refuses a connection is
// passed over. The API server asks webhooks by HTTP/1.1, so requests at the same time come by different connections.
type Balancer struct {
	// Port on loopback.
	Port int

	listener net.Listener
	backends []string // host:port
	turn     atomic.Uint64
	served   []atomic.Int64
	away     []atomic.Bool

	mutex sync.Mutex
	open  map[net.Conn]struct{}
}

func newBalancer(ctx context.Context, backends []string) (*Balancer, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the webhook: %w", err)
	}
	b := &Balancer{
		Port:     listener.Addr().(*net.TCPAddr).Port,
		listener: listener,
		backends: backends,
		served:   make([]atomic.Int64, len(backends)),
		away:     make([]atomic.Bool, len(backends)),
		open:     map[net.Conn]struct{}{},
	}
	go b.accept()
	return b, nil
}

// Served is how many connections each backend was given so far.
func (b *Balancer) Served() []int64 {
	counts := make([]int64, len(b.served))
	for n := range b.served {
		counts[n] = b.served[n].Load()
	}
	return counts
}

// Withdraw gives a backend no more connections, and Readmit does again. It keeps those it has, as a pod that is being deleted.
func (b *Balancer) Withdraw(backend int) { b.away[backend].Store(true) }

// Readmit undoes Withdraw.
func (b *Balancer) Readmit(backend int) { b.away[backend].Store(false) }

// close ends all connections with it, or they would keep a webhook from falling quiet.
func (b *Balancer) close() error {
	err := b.listener.Close()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for connection := range b.open {
		_ = connection.Close() // its end is all that matters
	}
	return err
}

func (b *Balancer) accept() {
	for {
		client, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go b.serve(client)
		}
	}
}

func (b *Balancer) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	backend, err := b.dial()
	if err != nil {
		hangUp(client)
		return
	}
	defer func() { _ = backend.Close() }()
	b.track(client, true)
	defer b.track(client, false)
	go func() {
		_, _ = io.Copy(backend, client) // however it ends, the other side is told by the end of the connection
		_ = backend.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, backend)
}

// hangUp ends a connection that no backend is there for. What the client has sent is read before: a connection that is
// closed over unread bytes is reset, and each such error names another port.
func hangUp(client net.Conn) {
	_ = client.(*net.TCPConn).CloseWrite()
	_ = client.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, client) // until the client, who has been told, closes it too
}

func (b *Balancer) dial() (net.Conn, error) {
	first := b.turn.Add(1)
	var errs []error
	for n := range b.backends {
		index := (first + uint64(n)) % uint64(len(b.backends))
		if b.away[index].Load() {
			continue
		}
		backend, err := net.Dial("tcp", b.backends[index]) //nolint:noctx // loopback accepts or refuses at once
		if err == nil {
			b.served[index].Add(1)
			return backend, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (b *Balancer) track(connection net.Conn, open bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if open {
		b.open[connection] = struct{}{}
	} else {
		delete(b.open, connection)
	}
}
