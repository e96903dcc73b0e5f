// Package command is the program's command line.
package command

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"imagecatalog.dev/catalog/test/cluster/internal/binary"
	"imagecatalog.dev/catalog/test/cluster/internal/cluster"
	"imagecatalog.dev/catalog/test/cluster/internal/debian"
	"imagecatalog.dev/catalog/test/cluster/internal/progress"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

// flags that every command has.
type flags struct {
	controlPlane bool
	dir          string
}

// New makes the command tree.
func New() *cobra.Command {
	var flags flags
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A real single-node Kubernetes cluster with Tekton, built from source",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().BoolVar(&flags.controlPlane, "control-plane", false, "etcd and API server alone, without root")
	root.PersistentFlags().StringVar(&flags.dir, "dir", "", "state directory (default run or run-control-plane in the cache)")
	root.AddCommand(newBuild(), newRegistries(), newPrometheus(), newCosign(), newUp(&flags), newDown(&flags), newEnv(&flags), newStatus(&flags))
	return root
}

// builder builds what lies beside this program; messages go where they do not
// get into output that is evaluated.
func builder(log *progress.Log) (binary.Builder, error) {
	cache, err := state.CacheRoot()
	if err != nil {
		return binary.Builder{}, err
	}
	return binary.Cluster(cache, log), nil
}

// open describes the cluster that the flags name. It touches nothing.
func (f *flags) open(command *cobra.Command, log *progress.Log) (cluster.Cluster, error) {
	cache, err := state.CacheRoot()
	if err != nil {
		return cluster.Cluster{}, err
	}
	path := f.dir
	if path == "" {
		path = cluster.DefaultDir(cache, !f.controlPlane)
	}
	dir, err := state.Open(path)
	if err != nil {
		return cluster.Cluster{}, err
	}
	builder, err := builder(log)
	if err != nil {
		return cluster.Cluster{}, err
	}
	binaries, err := builder.Locate(command.Context())
	if err != nil {
		return cluster.Cluster{}, err
	}
	return cluster.Cluster{Dir: dir, Full: !f.controlPlane, Binaries: binaries, Images: filepath.Join(cache, "registry"), Log: log}, nil
}

// ensureBuilt builds, where it must.
func ensureBuilt(command *cobra.Command, set binary.Set, log *progress.Log) error {
	if set.Present() {
		return nil
	}
	if err := debian.Ensure(command.Context(), log, debian.ForBuild()); err != nil {
		return err
	}
	builder, err := builder(log)
	if err != nil {
		return err
	}
	return builder.Build(command.Context(), set)
}

func newLog() *progress.Log { return progress.New(os.Stderr) }
