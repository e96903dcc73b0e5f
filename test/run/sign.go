package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The policy that asks for a signature of the image.
//
//go:embed policy.yaml
var policyManifest []byte

// cosignProgram is the one that COSIGN names, or that of the PATH.
func cosignProgram() string { return cmp.Or(os.Getenv("COSIGN"), "cosign") }

func (s site) signingDir() string { return filepath.Join(s.cache, "demo") }
func (s site) publicKey() string  { return filepath.Join(s.signingDir(), "cosign.pub") }

// signImage has a policy ask for a signature, shows that the image has none, signs it, and waits until the catalog has
// found that out.
func signImage(ctx context.Context, s site) error {
	if err := s.prepareSigning(ctx); err != nil {
		return err
	}
	if err := s.applyPolicy(ctx); err != nil {
		return err
	}
	entry, err := lastResult(ctx, "CATALOG_NAME")
	if err != nil {
		return err
	}
	if err := awaitVerified(ctx, entry, "False"); err != nil {
		return err
	}
	image, err := lastResult(ctx, "PINNED_REF")
	if err != nil {
		return err
	}
	if err := s.cosign(ctx, append(s.signing(), image)...); err != nil {
		return err
	}
	return awaitVerified(ctx, entry, "True")
}

// prepareSigning makes a key, and what cosign takes to sign without asking anybody. The key lives as long as the cache.
func (s site) prepareSigning(ctx context.Context) error {
	if _, err := os.Stat(s.publicKey()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(s.signingDir(), 0o700); err != nil {
		return err
	}
	return errors.Join(
		s.cosign(ctx, "signing-config", "create", "--out", "signing-config.json"),
		s.cosign(ctx, "trusted-root", "create", "--out", "trusted-root.json"),
		s.cosign(ctx, "generate-key-pair"),
	)
}

func (s site) signing() []string {
	arguments := []string{"sign", "--yes", "--key", "cosign.key", "--signing-config", "signing-config.json", "--trusted-root", "trusted-root.json"}
	if !s.current { // whose registry speaks plain HTTP
		arguments = append(arguments, "--allow-http-registry")
	}
	return arguments
}

// cosign is shown only when it fails.
func (s site) cosign(ctx context.Context, arguments ...string) error {
	command := exec.CommandContext(ctx, cosignProgram(), arguments...)
	command.Dir = s.signingDir()
	command.Env = append(os.Environ(), "COSIGN_PASSWORD=")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, bytes.TrimSpace(out))
	}
	return nil
}

func (s site) applyPolicy(ctx context.Context) error {
	public, err := os.ReadFile(s.publicKey())
	if err != nil {
		return err
	}
	key, err := json.Marshal(string(public)) // JSON is YAML
	if err != nil {
		return err
	}
	repository, _, _ := strings.Cut(s.imageReference(), ":"+debianRelease)
	manifest := bytes.ReplaceAll(policyManifest, []byte("glob: IMAGE"), []byte("glob: "+repository))
	return apply(ctx, bytes.ReplaceAll(manifest, []byte("data: KEY"), append([]byte("data: "), key...)))
}

// lastResult is a result of the pipeline's last run.
func lastResult(ctx context.Context, name string) (string, error) {
	out, err := output(ctx, "tkn", "pipelinerun", "describe", "--last", "--namespace", demoNamespace, "--output", fmt.Sprintf(`jsonpath={.status.results[?(@.name==%q)].value}`, name))
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("the last run of the pipeline has no result %s", name)
	}
	return string(out), err
}

// awaitVerified waits until the catalog says so of an entry, which nobody touches, and shows why it does.
func awaitVerified(ctx context.Context, entry, status string) error {
	if _, err := output(ctx, "kubectl", "--namespace", demoNamespace, "wait", "catalogimage/"+entry, "--for", "condition=Verified="+status, "--timeout", "120s"); err != nil {
		return err
	}
	message, err := output(ctx, "kubectl", "--namespace", demoNamespace, "get", "catalogimage", entry, "--output", `jsonpath={.status.conditions[?(@.type=="Verified")].message}`)
	fmt.Printf("%s  Verified=%s  %s\n", entry, status, message)
	return err
}
