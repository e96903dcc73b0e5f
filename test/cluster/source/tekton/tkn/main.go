// Tkn is Tekton's CLI put together from its own commands, without hub and
// triggers: the root command of github.com/tektoncd/cli imports hub, one of
// whose replaced modules cannot be downloaded.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/tektoncd/cli/pkg/cli"
	"github.com/tektoncd/cli/pkg/cmd/customrun"
	"github.com/tektoncd/cli/pkg/cmd/pipeline"
	"github.com/tektoncd/cli/pkg/cmd/pipelinerun"
	"github.com/tektoncd/cli/pkg/cmd/task"
	"github.com/tektoncd/cli/pkg/cmd/taskrun"
	"github.com/tektoncd/cli/pkg/cmd/version"
)

func main() {
	// Packages linked in register flags of their own: they are not tkn's.
	pflag.CommandLine = pflag.NewFlagSet(os.Args[0], pflag.ExitOnError)
	params := &cli.TektonParams{}
	tkn := &cobra.Command{Use: "tkn", Short: "CLI for Tekton Pipelines", SilenceUsage: true}
	tkn.AddCommand(
		customrun.Command(params),
		pipeline.Command(params),
		pipelinerun.Command(params),
		task.Command(params),
		taskrun.Command(params),
		version.Command(params),
	)
	if err := tkn.Execute(); err != nil {
		os.Exit(1)
	}
}
