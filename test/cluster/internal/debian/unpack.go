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

// dockerRegistry is Debian's package of distribution 2.8, and its program.
const dockerRegistry = "docker-registry"

// DockerRegistry gives the path of Debian's docker-registry: the one of this
// machine, or one from the package, which is unpacked below the folder and not
// installed. Installed it would start a service, and listen.
func DockerRegistry(ctx context.Context, log *progress.Log, dir string) (string, error) {
	if path, err := exec.LookPath(dockerRegistry); err == nil {
		return path, nil
	}
	unpacked := filepath.Join(dir, dockerRegistry)
	program := filepath.Join(unpacked, "usr", "bin", dockerRegistry)
	if file(program)() {
		return program, nil
	}
	if !onPath("apt-get")() || !onPath("dpkg-deb")() {
		return "", fmt.Errorf("this machine lacks a docker-registry, to test with: put one on the PATH (Debian: apt-get install %s)", dockerRegistry)
	}
	if err := log.Step("unpacked Debian's "+dockerRegistry, func() error { return unpack(ctx, dockerRegistry, unpacked) }); err != nil {
		return "", fmt.Errorf("get a docker-registry, to test with (one on the PATH does as well): %w", err)
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
