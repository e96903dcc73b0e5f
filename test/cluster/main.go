// Cluster brings up a real Kubernetes cluster with Tekton on this machine, all
// of it built from source, and takes it down again without a trace.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"imagecatalog.dev/catalog/test/cluster/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command.New().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}
