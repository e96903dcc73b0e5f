//go:build registries

// Package registries asks real registries through a proxy that has faults, and holds pkg/registry to what it promises of
// each: `make registries-test`.
//
// There are four registries. Distribution 3, built by test/cluster, is open to everybody. Debian's docker-registry,
// distribution 2.8, runs twice: with TLS of a private CA and passwords, and with tokens. Go-containerregistry's has the
// referrers API, which distribution lacks. Every test has proxies of its own in front of them, and every proxy credentials
// of its own: when all tests are done, none may have been sent to a host that it is not for.
package registries

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"imagecatalog.dev/catalog/test/faults"
)

var update = flag.Bool("update", false, "write testdata/reasons.golden anew")

// What the tests share; TestMain sets it up.
var (
	ledger    = &faults.Ledger{}
	authority *faults.Authority
	open      *backend // distribution 3
	debian    *backend // distribution 2.8, with TLS and passwords
	guarded   *backend // the same with tokens, without TLS
	modern    *backend // with the referrers API
)

func TestMain(m *testing.M) {
	// The kernel ends the registries with the thread that started them. This is the main one, which lasts as long as the
	// process: nothing is left listening, even after a panic.
	runtime.LockOSThread()
	flag.Parse()
	code, err := run(context.Background(), m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "registries tier:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	// Most tests wait for a time limit to pass, whatever the number of processors.
	if err := flag.Set("test.parallel", "64"); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "registries-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	running, err := startAll(ctx, dir)
	defer func() { err = errors.Join(err, running.stop()) }()
	if err != nil {
		return 1, err
	}
	code = m.Run()
	leaks, summary := ledger.Check()
	fmt.Println("credentials:", summary)
	if len(leaks) > 0 {
		return 1, fmt.Errorf("%d requests carried the credentials of another host:\n%s", len(leaks), strings.Join(leaks, "\n"))
	}
	return code, nil
}
