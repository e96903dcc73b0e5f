// Command audit holds the catalog's permissions against what it does. From the manifests it reads which requests its
// service accounts may make, from API servers' audit logs which ones they made, and it fails with
//
//   - every request that was refused for want of a permission that the manifests do not give: something is missing, and
//   - every permission that no log shows in use: something is too much. A permission is one verb on one resource, or on
//     one object where the role names objects; so a role cannot hide behind a neighbour that is used.
//
// The logs are those of `test/cluster`, whose API servers record the metadata of what these accounts ask for.
//
//	go run ./test/audit -since 2026-11-22T10:00:00Z LOG...    after all tests: both
//	go run ./test/audit -forbidden LOG...                     after some tests: refused requests only
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if err := audit(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

func audit(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	manifests := flags.String("config", "config", "`directory` of the manifests with the roles")
	forbiddenOnly := flags.Bool("forbidden", false, "judge refused requests only: not everything was tested")
	var since time.Time
	flags.Func("since", "count requests from this `time` on (RFC 3339): a log lives as long as its cluster", func(s string) (err error) {
		since, err = time.Parse(time.RFC3339, s)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("name at least one audit log; test/cluster env prints IMAGE_CATALOG_AUDIT_LOG")
	}
	grants, err := readGrants(*manifests)
	if err != nil {
		return err
	}
	made := newTally(grants)
	for _, path := range flags.Args() {
		if err := made.read(path, since); err != nil {
			return err
		}
	}
	if made.requests == 0 {
		return fmt.Errorf("no log has a request of the catalog's accounts since %s: is it the log of the cluster that was tested?", since)
	}
	findings := made.refusals()
	if !*forbiddenOnly {
		findings = append(findings, made.unused()...)
	}
	return report(out, findings, made.requests, len(grants))
}

func report(out io.Writer, findings []string, requests, grants int) error {
	for _, finding := range findings {
		if _, err := fmt.Fprintln(out, finding); err != nil {
			return err
		}
	}
	if len(findings) > 0 {
		return fmt.Errorf("%d findings in %d requests under %d permissions", len(findings), requests, grants)
	}
	_, err := fmt.Fprintf(out, "audit: nothing found in %d requests under %d permissions\n", requests, grants)
	return err
}
