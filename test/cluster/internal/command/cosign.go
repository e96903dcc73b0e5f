package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"imagecatalog.dev/catalog/test/cluster/internal/binary"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

func newCosign() *cobra.Command {
	return &cobra.Command{
		Use:   "cosign",
		Short: "Build cosign to test with, unless it is built, and print where it is: eval \"$(... cosign)\"",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cache, err := state.CacheRoot()
			if err != nil {
				return err
			}
			builder := binary.Cosign(cache, newLog())
			set, err := builder.Locate(command.Context())
			if err != nil {
				return err
			}
			if err := builder.Build(command.Context(), set); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "export COSIGN=%s\n", quote(set.Path("cosign")))
			return err
		},
	}
}
