// Package cgroup keeps a cluster's processes in a control group of their own,
// which limits their memory while they run and finds every one of them, in
// containers too, when they must go.
//
// Both versions of the kernel's interface are met: version 1 has one tree of
// folders for each kind of resource, version 2 one tree for all, see
// cgroups(7). In either, a group is a folder and a limit is a file in it.
package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"imagecatalog.dev/catalog/test/cluster/internal/poll"
)

// ErrNone says that the machine has no control groups to offer.
var ErrNone = errors.New("no control groups are mounted: mount cgroup2 at /sys/fs/cgroup")

// Group is a control group at the top of the machine's (or container's) tree.
type Group struct {
	name    string
	roots   []string // where the trees are mounted: one on version 2
	memory  string   // the one of them that accounts for memory
	unified bool     // version 2
}

// Find looks up how this machine mounts its control groups. It changes nothing.
func Find(name string) (Group, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return Group{}, fmt.Errorf("read the mounts: %w", err)
	}
	return find(name, string(mounts))
}

// find prefers version 1 where it has the memory controller: on such hybrid
// machines version 2 is mounted too, without controllers, and runc puts
// containers into a group there as well.
func find(name, mounts string) (Group, error) {
	group, unified := Group{name: name}, ""
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 4:
		case fields[2] == "cgroup":
			group.roots = append(group.roots, fields[1])
			if slices.Contains(strings.Split(fields[3], ","), "memory") {
				group.memory = fields[1]
			}
		case fields[2] == "cgroup2":
			unified = fields[1]
		}
	}
	if group.memory == "" && unified == "" {
		return Group{}, ErrNone
	}
	if group.memory != "" {
		if unified != "" {
			group.roots = append(group.roots, unified)
		}
		return group, nil
	}
	return Group{name: name, roots: []string{unified}, memory: unified, unified: true}, nil
}

// Create makes the group, where kubelet expects its own root to exist: in
// every tree. On version 2 it hands the controllers down to it.
func (g Group) Create() error {
	for _, root := range g.roots {
		if err := os.MkdirAll(filepath.Join(root, g.name), 0o755); err != nil {
			return fmt.Errorf("create control group: %w", err)
		}
	}
	if !g.unified {
		return nil
	}
	for _, folder := range []string{g.memory, filepath.Join(g.memory, g.name)} {
		if err := delegate(folder); err != nil {
			return err
		}
	}
	return nil
}

// delegate enables every controller of a version 2 group for its children.
func delegate(folder string) error {
	controllers, err := os.ReadFile(filepath.Join(folder, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read the controllers of %q: %w", folder, err)
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		err := os.WriteFile(filepath.Join(folder, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		if err != nil {
			return fmt.Errorf("enable controller %s below %q: %w", controller, folder, err)
		}
	}
	return nil
}

// Leaf makes a group inside this one whose processes together may use memory
// bytes (0: as much as they like), and returns what puts a process into it.
func (g Group) Leaf(name string, memory int64) (join func(pid int) error, err error) {
	folder := filepath.Join(g.memory, g.name, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("create control group: %w", err)
	}
	if memory > 0 {
		file := filepath.Join(folder, g.limitFile())
		if err := os.WriteFile(file, []byte(strconv.FormatInt(memory, 10)), 0o644); err != nil {
			return nil, fmt.Errorf("limit memory: %w", err)
		}
	}
	return func(pid int) error {
		return os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
	}, nil
}

func (g Group) limitFile() string {
	if g.unified {
		return "memory.max"
	}
	return "memory.limit_in_bytes"
}

// Kill ends every process in the group and below, and returns when none is left.
func (g Group) Kill(ctx context.Context) error {
	for {
		pids, err := g.processes()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d of the control group: %w", pid, err)
			}
		}
		if err := poll.Pause(ctx); err != nil {
			return fmt.Errorf("wait for %d processes of the control group to end: %w", len(pids), err)
		}
	}
}

// processes lists the group's processes; a process is in one group of each
// tree, and the tree that accounts for memory has them all.
func (g Group) processes() ([]int, error) {
	var pids []int
	err := g.walk(g.memory, func(folder string) error {
		file, err := os.Open(filepath.Join(folder, "cgroup.procs"))
		if err != nil {
			return ignoreGone(err)
		}
		defer func() { _ = file.Close() }()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			// 0 stands for a process of another pid namespace.
			if pid, err := strconv.Atoi(lines.Text()); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return ignoreGone(lines.Err())
	})
	return pids, err
}

// Remove deletes the group, which must be empty of processes. The kernel lets
// go of one only a moment after its last process ended.
func (g Group) Remove(ctx context.Context) error {
	for _, root := range g.roots {
		for {
			err := g.removeBelow(root)
			if err == nil {
				break
			}
			if waitErr := poll.Pause(ctx); waitErr != nil {
				return fmt.Errorf("remove control group: %w", err)
			}
		}
	}
	return nil
}

// removeBelow removes the deepest folders first.
func (g Group) removeBelow(root string) error {
	var folders []string
	err := g.walk(root, func(folder string) error {
		folders = append(folders, folder)
		return nil
	})
	if err != nil {
		return err
	}
	for _, folder := range slices.Backward(folders) {
		if err := ignoreGone(syscall.Rmdir(folder)); err != nil {
			return fmt.Errorf("remove %q: %w", folder, err)
		}
	}
	return nil
}

// walk visits the group's folder in one tree and those below, parents first.
func (g Group) walk(root string, visit func(folder string) error) error {
	return filepath.WalkDir(filepath.Join(root, g.name), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return ignoreGone(err)
		}
		if !entry.IsDir() {
			return nil
		}
		return visit(path)
	})
}

// ignoreGone forgives what ended while it was looked at.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
