package command

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"imagecatalog.dev/catalog/test/cluster/internal/registry"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

func newEnv(flags *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print what a shell needs to use the cluster: eval \"$(... env)\"",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			opened, err := flags.open(command, newLog())
			if err != nil {
				return err
			}
			lines := []string{
				"export KUBECONFIG=" + quote(opened.Kubeconfig()),
				"export PATH=" + quote(opened.Binaries.Dir) + ":$PATH",
				"export IMAGE_CATALOG_STATE=" + quote(string(opened.Dir)),
				"export IMAGE_CATALOG_AUDIT_LOG=" + quote(opened.AuditLog()),
			}
			if opened.Full {
				cache, err := state.CacheRoot()
				if err != nil {
					return err
				}
				lines = append(lines,
					"export REGISTRY="+registry.Address,
					"export KO_DOCKER_REPO="+registry.Address+"/image-catalog",
					"export KO_DEFAULTBASEIMAGE="+registry.BaseImage,
					"export KOCACHE="+quote(filepath.Join(cache, "ko")), // what has not changed is neither linked nor packed again
				)
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), strings.Join(lines, "\n"))
			return err
		},
	}
}

// quote protects a path from the shell.
func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
