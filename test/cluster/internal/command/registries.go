package command

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"imagecatalog.dev/catalog/test/cluster/internal/debian"
	"imagecatalog.dev/catalog/test/cluster/internal/registry"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

func newRegistries() *cobra.Command {
	return &cobra.Command{
		Use:   "registries",
		Short: "Get the programs of registries to test with, and print where they are: eval \"$(... registries)\"",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			log := newLog()
			cache, err := state.CacheRoot()
			if err != nil {
				return err
			}
			packaged, err := debian.DockerRegistry.Get(command.Context(), log, filepath.Join(cache, debianDir))
			if err != nil {
				return err
			}
			builder, err := builder(log)
			if err != nil {
				return err
			}
			set, err := builder.Locate(command.Context())
			if err != nil {
				return err
			}
			if err := ensureBuilt(command, set, log); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "export OWN_REGISTRY=%s\nexport DEBIAN_REGISTRY=%s\n",
				quote(set.Path(registry.Name)), quote(packaged))
			return err
		},
	}
}

// debianDir is where Debian's programs are unpacked, below the cache.
const debianDir = "debian"
