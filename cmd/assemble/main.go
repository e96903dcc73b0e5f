// Command assemble is the image of the Task assemble-image: it builds container images from root file systems.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"imagecatalog.dev/catalog/pkg/assemble"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/result"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(assemble.ExitCode(err))
}

func run(ctx context.Context, args []string) error {
	var options assemble.Options
	flags := flag.NewFlagSet("assemble", flag.ContinueOnError)
	options.AddFlags(flags)
	results := flags.String("results", result.DefaultDir, "directory for the results of the Task")
	if err := param.Parse(flags, args); errors.Is(err, flag.ErrHelp) {
		flags.Usage()
		return nil
	} else if err != nil {
		return err
	}
	order, err := options.Order(time.Now())
	if err != nil {
		return err
	}
	builder, err := assemble.NewBuilder(os.Stdout, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return err
	}
	digest, err := builder.Build(ctx, order)
	if err != nil {
		return err
	}
	fmt.Println("built", digest)
	return assemble.WriteResults(result.NewDir(*results), order.Image, digest)
}
