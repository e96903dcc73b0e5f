// Command run shows the whole way of an image through the catalog, on the cluster of the current kubeconfig: it
// installs the product from config/ and tasks/, has a Tekton pipeline build, publish and verify an image, signs it, and
// lists the catalog. It leaves everything running and may be run again.
//
// `make run` calls it with the embedded cluster of test/cluster; with CLUSTER=current it uses yours.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	s, err := inspect(ctx)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		title string
		do    func(context.Context, site) error
	}{
		{"Installing the catalog from config/", installCatalog},
		{"Installing the Tasks and the Pipeline", installTasks},
		{"Putting a Debian root file system for two architectures into the registry", pushRootFS},
		{"Running the pipeline: build, catalog-publish, catalog-verify", runPipeline},
		{"Asking for a signature by a CatalogPolicy, and signing the image with cosign", signImage},
		{"Listing the catalog", listCatalog},
	} {
		began := time.Now()
		fmt.Printf("\n== %s\n", step.title)
		if err := step.do(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
		fmt.Printf("   done in %.1f s\n", time.Since(began).Seconds())
	}
	return printNextSteps(ctx, s)
}
