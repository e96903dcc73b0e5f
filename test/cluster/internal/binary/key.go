package binary

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// key names what a build would produce: 16 hexadecimal digits over every file
// below source but tests, the components with their flags, the Go version and the platform.
func key(source, goVersion string, components []component) (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s %s/%s\n", goVersion, runtime.GOOS, runtime.GOARCH)
	for _, c := range components {
		_, _ = fmt.Fprintf(sum, "%+v %q\n", c, c.flags())
	}
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		return addFile(sum, source, path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: run this from the test/cluster folder, as in: go run -C test/cluster . up", err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), err
}

// addFile adds name, size and content: without the size, text could move from
// one file to the next unnoticed.
func addFile(sum io.Writer, source, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(source, path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	return err
}

// goVersion asks the go command that will build: it need not be the one that
// built this program.
func goVersion(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	command.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its version: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}
