// Command publish is the image of the Task catalog-publish: it enters a built image into the catalog.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"imagecatalog.dev/catalog/pkg/apiserver"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/pod"
	"imagecatalog.dev/catalog/pkg/publish"
	"imagecatalog.dev/catalog/pkg/result"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(publish.ExitCode(err))
}

func run(ctx context.Context, args []string) error {
	var options publish.Options
	flags := flag.NewFlagSet("publish", flag.ContinueOnError)
	options.AddFlags(flags)
	results := flags.String("results", result.DefaultDir, "directory for the results of the Task")
	if err := param.Parse(flags, args); errors.Is(err, flag.ErrHelp) {
		flags.Usage()
		return nil
	} else if err != nil {
		return err
	}
	client, err := pod.Client(options.Registries)
	if err != nil {
		return err
	}
	clients, err := apiserver.Connect()
	if err != nil {
		return err
	}
	publisher := publish.Publisher{
		Registry: client,
		Keychain: pod.Keychain(),
		Entries:  clients.ImagecatalogV1alpha1().CatalogImages(options.Namespace),
		Log:      os.Stdout,
	}
	outcome, err := publisher.Publish(ctx, options)
	return errors.Join(err, outcome.WriteTo(result.NewDir(*results)))
}
