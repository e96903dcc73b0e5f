package command

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"imagecatalog.dev/catalog/test/cluster/internal/debian"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

func newPrometheus() *cobra.Command {
	return &cobra.Command{
		Use:   "prometheus",
		Short: "Get Prometheus to test with, and print where it is: eval \"$(... prometheus)\"",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cache, err := state.CacheRoot()
			if err != nil {
				return err
			}
			program, err := debian.Prometheus.Get(command.Context(), newLog(), filepath.Join(cache, debianDir))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "export PROMETHEUS=%s\n", quote(program))
			return err
		},
	}
}
