// Package debian installs the few programs that the cluster needs and that
// are no Go modules.
package debian

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"imagecatalog.dev/catalog/test/cluster/internal/progress"
)

// Busybox is where Debian's busybox-static puts its one program.
const Busybox = "/bin/busybox"

// Need is something the machine must have.
type Need struct {
	What    string // with what it is for
	Package string // Debian's package that brings it
	Present func() bool
}

// ForBuild is what building needs apart from Go.
func ForBuild() []Need {
	return []Need{
		{"a C compiler (gcc), for runc", "gcc", onPath("gcc")},
		{"pkg-config, for runc", "pkg-config", onPath("pkg-config")},
		{"libseccomp's headers and archive, for runc", "libseccomp-dev", file("/usr/include/seccomp.h")},
	}
}

// ForRun is what a full cluster needs while it runs.
func ForRun() []Need {
	return []Need{
		{"nft, for kube-proxy and to keep the pods in", "nftables", onPath("nft")},
		{"a static " + Busybox + ", for the shell of Tekton's scripts", "busybox-static", static(Busybox)},
	}
}

// Ensure installs what is missing where that can be done, and otherwise says
// in one line what to install.
func Ensure(ctx context.Context, log *progress.Log, needs []Need) error {
	needs = slices.DeleteFunc(needs, func(need Need) bool { return need.Present() })
	if len(needs) == 0 {
		return nil
	}
	var missing, packages []string
	for _, need := range needs {
		missing = append(missing, need.What)
		packages = append(packages, need.Package)
	}
	if os.Getuid() != 0 || !onPath("apt-get")() {
		return fmt.Errorf("this machine lacks %s: install it (Debian: apt-get install %s)", strings.Join(missing, " and "), strings.Join(packages, " "))
	}
	return log.Step("installed Debian's "+strings.Join(packages, ", "), func() error { return install(ctx, packages) })
}

func install(ctx context.Context, packages []string) error {
	arguments := append([]string{"install", "-qq", "-y", "--no-install-recommends"}, packages...)
	return refreshing(ctx, func() error { return aptGet(ctx, "", arguments...) })
}

// refreshing does what needs package lists, once more with new ones if it must.
func refreshing(ctx context.Context, do func() error) error {
	if do() == nil {
		return nil
	}
	if err := aptGet(ctx, "", "update", "-qq"); err != nil {
		return err
	}
	return do()
}

// aptGet runs in the folder, which is where it downloads to.
func aptGet(ctx context.Context, dir string, arguments ...string) error {
	command := exec.CommandContext(ctx, "apt-get", arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

func onPath(name string) func() bool {
	return func() bool {
		_, err := exec.LookPath(name)
		return err == nil
	}
}

func file(path string) func() bool {
	return func() bool {
		_, err := os.Stat(path)
		return err == nil
	}
}

// static tells a program that runs in an empty image from one that would
// look for its libraries there.
func static(path string) func() bool {
	return func() bool {
		program, err := elf.Open(path)
		if err != nil {
			return false
		}
		defer func() { _ = program.Close() }()
		return !slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	}
}
