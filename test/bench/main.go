// Command bench measures what the product promises about its speed, always as a ratio: next to every figure the same
// work is done by what it is compared with, in the same run, in turns. A busy or a slow machine then moves both sides.
//
// It prints one JSON line a figure; what people read meanwhile goes to standard error. README.md says what the figures
// mean. There is one file a family of figures: list_page.go, registry.go, create.go, controller.go, rejudge.go,
// publish_taskrun.go, verify_taskrun.go and verify_signature.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// command measures, or is one of the servers that the bench starts by executing itself again.
func command(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "serve" {
		return serve(ctx, args[1:], os.Stdin, os.Stdout)
	}
	return bench(ctx, args, os.Stdout, os.Stderr)
}
