package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"imagecatalog.dev/catalog/test/cluster/internal/progress"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

// lanes is how many builds run at once: while one links, which keeps a single
// core busy, another compiles. More would cost memory (a large link takes
// 2 GiB) and save no time.
const lanes = 2

// Set is the folder of one complete build.
type Set struct {
	Dir string
	Key string // hexadecimal, names the content
}

// Path is one of the programs.
func (s Set) Path(name string) string { return filepath.Join(s.Dir, name) }

// Present reports whether it has been built.
func (s Set) Present() bool {
	_, err := os.Stat(s.Dir)
	return err == nil
}

// Builder builds what modules describe, once.
type Builder struct {
	source     string // has the modules
	cache      string // gets a folder for each build
	components []component
	duration   string // of a build, in words
	// finish adds to what was built; nil where that is all.
	finish func(ctx context.Context, b Builder, out string) error
	log    *progress.Log
}

// Cluster builds all that the cluster runs. The cache is that of everything.
func Cluster(cache string, log *progress.Log) Builder {
	return Builder{
		source: "source", cache: filepath.Join(cache, "bin"), components: clusterComponents(), duration: "ten minutes",
		finish: copyTektonConfig, log: log,
	}
}

// Cosign builds cosign, which the cluster does not run.
func Cosign(cache string, log *progress.Log) Builder {
	return Builder{source: "tools", cache: filepath.Join(cache, "tools"), components: cosignComponents(), duration: "five minutes", log: log}
}

// Locate says where the present sources' build is, or would be.
func (b Builder) Locate(ctx context.Context) (Set, error) {
	version, err := goVersion(ctx)
	if err != nil {
		return Set{}, err
	}
	key, err := key(b.source, version, b.components)
	if err != nil {
		return Set{}, err
	}
	return Set{Dir: filepath.Join(b.cache, key), Key: key}, nil
}

// Build builds unless it is there already. It works in a folder that gets its
// final name when everything in it is done.
func (b Builder) Build(ctx context.Context, set Set) error {
	unlock, err := state.Lock(ctx, b.cache+".lock", func() { b.log.Say("waiting for another build") })
	if err != nil {
		return err
	}
	defer unlock()
	if set.Present() {
		return nil
	}
	draft := filepath.Join(b.cache, "draft")
	if err := os.RemoveAll(draft); err != nil {
		return fmt.Errorf("remove an unfinished build: %w", err)
	}
	b.log.Say("building from source into %s: %s on 2 cores when Go's caches are empty", set.Dir, b.duration)
	if err := b.buildAll(ctx, draft); err != nil {
		return err
	}
	return os.Rename(draft, set.Dir)
}

func (b Builder) buildAll(ctx context.Context, out string) error {
	builds, buildCtx := errgroup.WithContext(ctx)
	builds.SetLimit(lanes)
	for _, c := range b.components {
		builds.Go(func() error {
			return b.log.Step("built "+c.Name, func() error { return b.build(buildCtx, c, out) })
		})
	}
	if err := builds.Wait(); err != nil || b.finish == nil {
		return err
	}
	return b.finish(ctx, b, out)
}

func (b Builder) build(ctx context.Context, c component, out string) error {
	ldflags, err := c.ldflags(b.source)
	if err != nil {
		return fmt.Errorf("build %s: %w", c.Name, err)
	}
	into := filepath.Join(out, c.Into)
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	arguments := append(c.flags(), "-ldflags", ldflags, "-o", into+"/")
	if _, err := b.run(ctx, c.Module, c.CGO, append(arguments, c.Packages...)...); err != nil {
		return fmt.Errorf("build %s: %w", c.Name, err)
	}
	for name, target := range c.Links {
		if err := os.Symlink(target, filepath.Join(into, name)); err != nil {
			return err
		}
	}
	return nil
}

// flags leave version control out: it would make the result depend on the
// state of this repository, and fail in one that belongs to someone else.
func (c component) flags() []string {
	return []string{"build", "-trimpath", "-buildvcs=false", "-tags", c.Tags}
}

// run calls go in a module of the source, with an environment that the
// caller's own Go settings do not reach into. It returns what go printed.
func (b Builder) run(ctx context.Context, module string, cgo bool, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = filepath.Join(b.source, module)
	command.Env = append(os.Environ(), "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off", "CGO_ENABLED=0")
	if cgo {
		command.Env = append(command.Env, "CGO_ENABLED=1")
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s in %s: %w\n%s", arguments[0], command.Dir, err, withoutDownloads(complaints.String()))
	}
	return output, nil
}

func withoutDownloads(complaints string) string {
	var kept strings.Builder
	for line := range strings.Lines(complaints) {
		if !strings.HasPrefix(line, "go: downloading ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// copyTektonConfig keeps the manifests, and their version, beside the binaries
// that they belong to.
func copyTektonConfig(ctx context.Context, b Builder, out string) error {
	to := filepath.Join(out, "tekton")
	output, err := b.run(ctx, "tekton", false, "list", "-m", "-json", "github.com/tektoncd/pipeline")
	if err != nil {
		return fmt.Errorf("find Tekton's manifests: %w", err)
	}
	var module struct{ Dir, Version string }
	if err := json.Unmarshal(output, &module); err != nil {
		return fmt.Errorf("find Tekton's manifests: %w", err)
	}
	if module.Dir == "" {
		return errors.New("find Tekton's manifests: its module is not in the module cache")
	}
	if err := os.CopyFS(filepath.Join(to, "config"), os.DirFS(filepath.Join(module.Dir, "config"))); err != nil {
		return fmt.Errorf("copy Tekton's manifests: %w", err)
	}
	return os.WriteFile(filepath.Join(to, "version"), []byte(module.Version), 0o644)
}
