// Package state says where a cluster keeps what it knows on disk.
//
// One directory is one cluster: its name marks the processes, the control
// group and the bridge that belong to it, and removing it is the last act of
// taking the cluster down. What is costly to make again, binaries and images,
// lives in a cache beside it.
package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir is the absolute path of a cluster's state directory.
type Dir string

// Open makes path absolute, because it is compared with what processes that
// run elsewhere carry in their environment. It creates nothing.
func Open(path string) (Dir, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolve state directory %q: %w", path, err)
	}
	return Dir(absolute), nil
}

// CacheRoot is the folder of everything this program keeps between runs:
// $IMAGE_CATALOG_CACHE, else image-catalog in the user's cache directory.
func CacheRoot() (string, error) {
	if root := os.Getenv("IMAGE_CATALOG_CACHE"); root != "" {
		return filepath.Abs(root)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache directory (set IMAGE_CATALOG_CACHE): %w", err)
	}
	return filepath.Join(cache, "image-catalog"), nil
}

// File is the path of something inside the directory.
func (d Dir) File(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

// Name is short, unlike the path, and differs between directories: fit for a
// control group or an alias. It has the form image-catalog-1a2b3c4d.
func (d Dir) Name() string {
	return fmt.Sprintf("image-catalog-%x", sha256.Sum256([]byte(d)))[:len("image-catalog-")+8]
}

// Write replaces a file in one step, durably, and creates its folders: a
// reader, or this program after a crash, sees the old content or the new.
// A file that has the content already is not touched.
func Write(path string, content []byte, mode fs.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, writeErr := temporary.Write(content)
	if err := errors.Join(writeErr, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return os.Rename(temporary.Name(), path)
}

// SameBoot reports whether the machine has been up since the directory was
// last stamped; it stamps a directory that has no stamp. After a reboot the
// processes, mounts and links that the files speak of are gone.
func (d Dir) SameBoot() (bool, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return false, fmt.Errorf("read the boot id: %w", err)
	}
	stamp, err := os.ReadFile(d.File("boot-id"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, Write(d.File("boot-id"), boot, 0o644)
	}
	if err != nil {
		return false, err
	}
	return strings.TrimSpace(string(stamp)) == strings.TrimSpace(string(boot)), nil
}
