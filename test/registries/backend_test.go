//go:build registries

package registries

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"imagecatalog.dev/catalog/test/faults"
)

// backend is a registry, for proxies to stand in front of.
type backend struct {
	name      string
	handler   http.Handler
	secured   bool // by TLS, and so are its proxies
	passwords bool // are wanted, of users in testdata/htpasswd
}

// The variables that name the programs of registries; `go run -C test/cluster . registries` prints them.
const (
	ownProgram    = "OWN_REGISTRY"
	debianProgram = "DEBIAN_REGISTRY"
)

// service is what the registry with tokens calls its token server.
const service = "image-catalog-tests"

// programs are the registries that run.
type programs []*program

func (p programs) stop() error {
	var all error
	for _, one := range p {
		all = errors.Join(all, one.stop())
	}
	return all
}

// startAll starts the registries and fills them. What it returns is to be stopped also after an error.
func startAll(ctx context.Context, dir string) (running programs, err error) {
	files, err := prepare(dir)
	if err != nil {
		return nil, err
	}
	shared := filepath.Join(dir, "debian") // so that who reads with tokens finds what was pushed with a password
	for _, plan := range []struct {
		name, program string
		configuration configuration
	}{
		{"open", ownProgram, configuration{Storage: filepath.Join(dir, "open")}},
		{"tokens", debianProgram, configuration{Storage: shared, Service: service, Authority: files.Authority}},
		{"debian", debianProgram, configuration{Storage: shared, Certificate: files.Certificate, Key: files.Key, Accounts: files.Accounts}},
	} {
		p, err := start(ctx, dir, plan.name, os.Getenv(plan.program), plan.configuration)
		if err != nil {
			return running, err
		}
		running = append(running, p)
	}
	open = &backend{name: "open", handler: faults.Forward(&url.URL{Scheme: "http", Host: running[0].address}, nil)}
	guarded = &backend{name: "tokens", handler: faults.Forward(&url.URL{Scheme: "http", Host: running[1].address}, nil)}
	debian = &backend{name: "debian", handler: faults.Forward(&url.URL{Scheme: "https", Host: running[2].address}, authority.Pool()), secured: true, passwords: true}
	modern = &backend{name: "modern", handler: ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0)))}
	return running, fillAll(ctx, running[0].address, running[2].address)
}

// prepare makes the private CA, and writes the files that the configurations name.
func prepare(dir string) (files configuration, err error) {
	if authority, err = faults.NewAuthority(); err != nil {
		return files, err
	}
	files.Authority = filepath.Join(dir, "authority.crt")
	if err := os.WriteFile(files.Authority, []byte(authority.PEM()), 0o600); err != nil {
		return files, err
	}
	if files.Accounts, err = filepath.Abs(filepath.Join("testdata", "htpasswd")); err != nil {
		return files, err
	}
	files.Certificate, files.Key, err = issueFiles(dir)
	return files, err
}
