package command

import "github.com/spf13/cobra"

func newDown(flags *flags) *cobra.Command {
	var purge bool
	down := &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove all it made, but for binaries and pushed images",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			opened, err := flags.open(command, newLog())
			if err != nil {
				return err
			}
			if purge {
				return opened.Purge(command.Context())
			}
			return opened.Down(command.Context())
		},
	}
	down.Flags().BoolVar(&purge, "purge", false, "delete the images in the registry too")
	return down
}
