package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newStatus(flags *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say which parts run; exit 1 unless all do and answer",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			opened, err := flags.open(command, newLog())
			if err != nil {
				return err
			}
			lines, healthy, err := opened.Status(command.Context())
			if err != nil {
				return err
			}
			for _, line := range lines {
				if _, err := fmt.Fprintln(command.OutOrStdout(), line); err != nil {
					return err
				}
			}
			if !healthy {
				return errors.New("the cluster is not up: run up, which starts or repairs it")
			}
			return nil
		},
	}
}
