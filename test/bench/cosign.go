package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const cosignVariable = "COSIGN"

// cosign is the program, with a directory for its keys: cosign.key and cosign.pub, which it makes there.
type cosign struct {
	program string
	dir     string
}

func newCosign() (*cosign, error) {
	program := os.Getenv(cosignVariable)
	if program == "" {
		return nil, fmt.Errorf(`%s is not set; run first: eval "$(go run -C test/cluster . cosign)"`, cosignVariable)
	}
	dir, err := os.MkdirTemp("", "bench-cosign-")
	return &cosign{program, dir}, err
}

func (c *cosign) close() error { return os.RemoveAll(c.dir) }

// sign makes a key and signs an image in the form that is cosign's default, without asking anybody but the registry.
func (c *cosign) sign(ctx context.Context, image name.Digest) error {
	for _, arguments := range [][]string{
		{"generate-key-pair"},
		{"signing-config", "create", "--out", "signing-config.json"},
		{"trusted-root", "create", "--out", "trusted-root.json"},
		{
			"sign", "--yes", "--key", "cosign.key", "--signing-config", "signing-config.json", "--trusted-root", "trusted-root.json",
			"--allow-http-registry", image.Name(),
		},
	} {
		if _, err := c.run(ctx, c.program, arguments...); err != nil {
			return err
		}
	}
	return nil
}

func (c *cosign) publicKey() string { return filepath.Join(c.dir, "cosign.pub") }

// run times a program in the directory, which has to succeed.
func (c *cosign) run(ctx context.Context, program string, arguments ...string) (time.Duration, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = c.dir
	command.Env = append(os.Environ(), "COSIGN_PASSWORD=", "PUBLIC_KEY_DIR="+c.dir)
	began := time.Now()
	out, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return time.Since(began), nil
}
