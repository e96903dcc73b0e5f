package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// devicePlugins is where kubelet listens for device plugins, whatever its root
// directory is.
const devicePlugins = "/var/lib/kubelet/device-plugins"

// Clean removes what a node leaves when its processes are gone: mounts first,
// then the few files that the node's programs put outside of its folder with
// no setting to prevent it. The folder itself is the caller's.
func (n Node) Clean() error {
	sockets := n.shimSockets()
	if err := n.unmount(); err != nil {
		return err
	}
	leftovers := slices.Concat(sockets, n.podLogLinks())
	leftovers = append(leftovers, deadSockets(devicePlugins+"/kubelet.sock")...)
	// What the CNI library remembers of each interface, by our network's name.
	results, err := filepath.Glob("/var/lib/cni/results/image-catalog-*")
	if err != nil {
		return err
	}
	for _, path := range append(leftovers, results...) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what the node left: %w", err)
		}
	}
	return removeEmpty(devicePlugins, filepath.Dir(devicePlugins), "/var/log/containers", "/var/log/pods", "/var/lib/cni/results", "/var/lib/cni", "/run/containerd/s", "/run/containerd")
}

// unmount detaches every mount below the folder, the innermost first. A mount
// that a dying process still uses goes when the process does.
func (n Node) unmount() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("read the mounts: %w", err)
	}
	for _, target := range slices.Backward(mountsBelow(n.Dir, string(mounts))) {
		err := syscall.Unmount(target, syscall.MNT_DETACH)
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("unmount %q: %w", target, err)
		}
	}
	return nil
}

// mountsBelow lists mount points in the order they were made. The kernel
// writes blanks in paths as octal escapes, see proc_pid_mountinfo(5).
func mountsBelow(folder, mounts string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var below []string
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if target := unescape.Replace(fields[1]); strings.HasPrefix(target, folder+"/") {
			below = append(below, target)
		}
	}
	return below
}

// shimSockets reads from the containers' folders where containerd's shims
// listened: they have a fixed folder for it, /run/containerd/s.
func (n Node) shimSockets() []string {
	bundles := n.file("containerd-state", "io.containerd.runtime.v2.task", "*", "*")
	var sockets []string
	for _, name := range []string{"address", "bootstrap.json"} {
		files, _ := filepath.Glob(filepath.Join(bundles, name)) // the pattern is well-formed
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if socket, ok := socketPath(string(content)); ok {
				sockets = append(sockets, socket)
			}
		}
	}
	return sockets
}

// socketPath finds unix:///run/containerd/s/<name> in a file that holds it
// alone or in JSON.
func socketPath(content string) (string, bool) {
	_, rest, found := strings.Cut(content, "unix://")
	path, _, _ := strings.Cut(rest, `"`)
	path = strings.TrimSpace(path)
	return path, found && strings.HasPrefix(path, "/run/containerd/s/")
}

// deadSockets are those of the given ones that nobody listens on: the others
// belong to someone else.
func deadSockets(paths ...string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		connection, err := net.Dial("unix", path) //nolint:noctx // a socket file answers or refuses at once
		if err == nil {
			_ = connection.Close()
		}
		return !errors.Is(err, syscall.ECONNREFUSED)
	})
}

// podLogLinks are the links to our pods' logs that kubelet makes for log
// collectors, whatever its own folder for logs is.
func (n Node) podLogLinks() []string {
	links, _ := filepath.Glob("/var/log/containers/*.log") // the pattern is well-formed
	return slices.DeleteFunc(links, func(link string) bool {
		target, err := os.Readlink(link)
		return err != nil || !strings.HasPrefix(target, n.Dir+"/")
	})
}

// removeEmpty removes folders that hold nothing, inner ones given first.
func removeEmpty(folders ...string) error {
	for _, folder := range folders {
		err := syscall.Rmdir(folder)
		if err != nil && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("remove %q: %w", folder, err)
		}
	}
	return nil
}
