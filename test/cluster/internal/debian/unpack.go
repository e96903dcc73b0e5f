package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"imagecatalog.dev/catalog/test/cluster/internal/progress"
)

// Program is a program to test with that Debian packages, by the same name.
type Program string

const (
	// DockerRegistry is distribution 2.8.
	DockerRegistry Program = "docker-registry"
	// Prometheus evaluates alerts.
	Prometheus Program = "prometheus"
)

// Get gives the path of the program: the one of this machine, or one from the
// package, which is unpacked below the folder and not installed. Installed it
// would start a service, and listen.
func (p Program) Get(ctx context.Context, log *progress.Log, dir string) (string, error) {
	name := string(p)
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	unpacked := filepath.Join(dir, name)
	program := filepath.Join(unpacked, "usr", "bin", name)
	if file(program)() {
		return program, nil
	}
	if !onPath("apt-get")() || !onPath("dpkg-deb")() {
		return "", fmt.Errorf("this machine lacks %s, to test with: put it on the PATH (Debian: apt-get install %s)", name, name)
	}
	if err := log.Step("unpacked Debian's "+name, func() error { return unpack(ctx, name, unpacked) }); err != nil {
		return "", fmt.Errorf("get %s, to test with (one on the PATH does as well): %w", name, err)
	}
	return program, nil
}

// unpack fills the folder with the files of a package. It appears whole or not
// at all.
func unpack(ctx context.Context, name, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	draft, err := os.MkdirTemp(filepath.Dir(dir), name+"-draft-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(draft)
	if err := refreshing(ctx, func() error { return aptGet(ctx, draft, "download", "-qq", name) }); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(draft, "*.deb"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("apt-get download %s left %d archives in %s: %w", name, len(archives), draft, err)
	}
	files := filepath.Join(draft, "files")
	if output, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", archives[0], files).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack %s: %w\n%s", archives[0], err, output)
	}
	if err := os.Rename(files, dir); !errors.Is(err, fs.ErrExist) { // else somebody was faster
		return err
	}
	return nil
}
