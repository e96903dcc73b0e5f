package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build the cluster's programs, unless they are built, and print their folder",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			log := newLog()
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
			_, err = fmt.Fprintln(command.OutOrStdout(), set.Dir)
			return err
		},
	}
}
