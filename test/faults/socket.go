package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Refused is a host that refuses connections, until it is closed: its port is taken, and nobody listens.
func Refused() (host string, closed func(), err error) {
	socket, host, err := bind()
	if err != nil {
		return "", nil, err
	}
	return host, func() { _ = syscall.Close(socket) }, nil
}

// Deaf is a host with which no connection comes about: somebody listens and takes none, and the queue is full, so the
// kernel drops what comes further.
func Deaf() (host string, closed func(), err error) {
	socket, host, err := bind()
	if err != nil {
		return "", nil, err
	}
	var waiting []net.Conn
	closed = func() {
		for _, connection := range waiting {
			_ = connection.Close()
		}
		_ = syscall.Close(socket)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		closed()
		return "", nil, os.NewSyscallError("listen", err)
	}
	for range mostWaiting {
		connection, err := knock(host)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			return host, closed, nil
		}
		if err != nil {
			closed()
			return "", nil, fmt.Errorf("filling the queue of %s: %w", host, err)
		}
		waiting = append(waiting, connection)
	}
	closed()
	return "", nil, fmt.Errorf("the queue of %s is not full after %d connections: this kernel does not keep to the backlog of listen(2)", host, mostWaiting)
}

// mostWaiting is more than the queue of a backlog of 0 holds: one on Linux.
const mostWaiting = 8

func knock(host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	return (&net.Dialer{}).DialContext(ctx, "tcp", host)
}

// bind takes a port of loopback.
func bind() (socket int, host string, err error) {
	socket, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, "", os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(socket)
		return 0, "", os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		_ = syscall.Close(socket)
		return 0, "", os.NewSyscallError("getsockname", err)
	}
	return socket, fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port), nil
}
