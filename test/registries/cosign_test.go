//go:build registries

package registries

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"
)

// cosignProgram is the variable that names cosign; `go run -C test/cluster . cosign` prints it.
const cosignProgram = "COSIGN"

// cosign signs and verifies without anything from outside: no transparency log, no certificates, no time stamps.
type cosign struct {
	t   *testing.T
	dir string
}

func newCosign(t *testing.T) *cosign {
	t.Helper()
	require.NotEmpty(t, os.Getenv(cosignProgram), "no program is named for cosign: run `make registries-test`, which sets %s", cosignProgram)
	return &cosign{t: t, dir: t.TempDir()}
}

// newCosignForSigning makes what signing takes where there is nothing outside.
func newCosignForSigning(t *testing.T) *cosign {
	t.Helper()
	c := newCosign(t)
	c.must("signing-config", "create", "--out", "signing-config.json")
	c.must("trusted-root", "create", "--out", "trusted-root.json")
	return c
}

// cosigns are how many run at the same time: each takes a processor, and 100 MB.
var cosigns = make(chan struct{}, runtime.GOMAXPROCS(0))

// run gives the exit code, and what was said.
func (c *cosign) run(arguments ...string) (code int, said string) {
	c.t.Helper()
	cosigns <- struct{}{}
	defer func() { <-cosigns }()
	command := exec.CommandContext(patient(c.t), os.Getenv(cosignProgram), arguments...)
	command.Dir = c.dir
	// Whatever is not on this machine goes to a proxy that is not there.
	command.Env = []string{"HOME=" + c.dir, "COSIGN_PASSWORD=", "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9"}
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(c.t, err)
	}
	return command.ProcessState.ExitCode(), string(out)
}

func (c *cosign) must(arguments ...string) {
	c.t.Helper()
	code, said := c.run(arguments...)
	require.Zero(c.t, code, said)
}

// keyPair is a key in the forms that cosign takes: files in its folder.
type keyPair struct{ private, public string }

// importKey gives cosign a private key of the kind.
func (c *cosign) importKey(kind string) keyPair {
	c.t.Helper()
	encoded, err := x509.MarshalPKCS8PrivateKey(newPrivateKey(c.t, kind))
	require.NoError(c.t, err)
	file := filepath.Join(c.dir, kind+".pem")
	require.NoError(c.t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
	c.must("import-key-pair", "--key", kind+".pem", "--output-key-prefix", kind, "--yes")
	return keyPair{kind + ".key", kind + ".pub"}
}

func newPrivateKey(t *testing.T, kind string) (private crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 3072)
	case "ed25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = ecdsa.GenerateKey(map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()}[kind], rand.Reader)
	}
	require.NoError(t, err)
	return private
}

// The forms in which cosign writes signatures.
var cosignForms = map[string][]string{
	"simple signing": {"--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false"},
	"bundle":         {"--signing-config", "signing-config.json", "--trusted-root", "trusted-root.json"},
}

// at is how cosign reaches the front.
func (f *front) at() []string {
	options := []string{"--allow-http-registry"}
	if f.user != "" {
		options = []string{"--registry-cacert", "authority.crt", "--registry-username", f.user, "--registry-password", f.secret}
	}
	return options
}

func (c *cosign) sign(f *front, key keyPair, form string, image name.Digest, more ...string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, "authority.crt"), []byte(authority.PEM()), 0o600))
	arguments := append([]string{"sign", "--yes", "--key", key.private}, append(cosignForms[form], f.at()...)...)
	c.must(append(append(arguments, more...), image.Name())...)
}

// verify says whether cosign takes the image for signed with one of the keys in the PEM text.
func (c *cosign) verify(image name.Digest, publicKey string) (verified bool, said string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, "public.pem"), []byte(publicKey), 0o600))
	code, said := c.run("verify", "--key", "public.pem", "--insecure-ignore-tlog", "--allow-http-registry", image.Name())
	return code == 0, fmt.Sprintf("exit code %d: %s", code, bytes.TrimSpace([]byte(said)))
}

// pem reads a public key.
func (c *cosign) pem(key keyPair) []byte {
	c.t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, key.public))
	require.NoError(c.t, err)
	return content
}
