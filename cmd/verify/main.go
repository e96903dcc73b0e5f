// Command verify is the image of the Task catalog-verify: it judges whether an image is what a pipeline believes it to be.
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

	"imagecatalog.dev/catalog/pkg/apiserver/reader"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/pod"
	"imagecatalog.dev/catalog/pkg/result"
	"imagecatalog.dev/catalog/pkg/verify"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var options verify.Options
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	options.AddFlags(flags)
	results := flags.String("results", result.DefaultDir, "directory for the results of the Task")
	err := param.Parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		flags.Usage()
		return 0
	}
	verdict := judge(ctx, options, err)
	fmt.Println(verdict)
	if err := verdict.WriteTo(result.NewDir(*results), time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return max(verdict.ExitCode(true), verify.ExitUndecided)
	}
	return verdict.ExitCode(options.Strict)
}

func judge(ctx context.Context, options verify.Options, badParams error) verify.Verdict {
	if badParams != nil {
		return verify.Refuse(badParams)
	}
	client, err := pod.Client(options.Registries)
	if err != nil {
		return verify.Refuse(err)
	}
	verifier := verify.Verifier{
		Registry: client, Keychain: pod.Keychain(),
		Entries: entries, Policies: policies, Secrets: secrets, KeyDir: os.Getenv("PUBLIC_KEY_DIR"),
		Log: os.Stdout,
	}
	return verifier.Verify(ctx, options)
}

// entries connects only when an image is named by its entry: to verify a reference takes no cluster.
func entries() (verify.Entries, error) { return reader.Entries() }

// policies connects only when a policy is named.
func policies() (verify.Policies, error) { return reader.Policies() }

// secrets connects only when a public key is in one.
func secrets() (verify.Secrets, error) { return reader.Secrets() }
