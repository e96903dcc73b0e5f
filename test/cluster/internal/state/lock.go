package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"imagecatalog.dev/catalog/test/cluster/internal/poll"
)

// Lock holds path for this process alone until the returned function is
// called or the process ends, however it ends. While another process holds
// it, waiting is called once and Lock waits.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of lock %q: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock %q: %w", path, err)
	}
	for first := true; ; first = false {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %q: %w", path, err), file.Close())
		}
		if first {
			waiting()
		}
		if err := poll.Pause(ctx); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
}

// Lock keeps other programs off this cluster. The lock lies beside the
// directory, since the directory itself goes away.
func (d Dir) Lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	return Lock(ctx, string(d)+".lock", waiting)
}
