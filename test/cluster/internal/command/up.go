package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"imagecatalog.dev/catalog/test/cluster/internal/cluster"
)

func newUp(flags *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, or whatever of it is missing",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if !flags.controlPlane {
				if err := cluster.CheckFull(); err != nil {
					return err
				}
			}
			log := newLog()
			opened, err := flags.open(command, log)
			if err != nil {
				return err
			}
			if err := ensureBuilt(command, opened.Binaries, log); err != nil {
				return err
			}
			if err := opened.Up(command.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "KUBECONFIG=%s\n", opened.Kubeconfig())
			return err
		},
	}
}
