package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func leaves() []Leaf {
	return []Leaf{
		{Name: "server", CommonName: "server", IPs: []string{"127.0.0.1"}, DNSNames: []string{"localhost"}},
		{Name: "admin", CommonName: "admin", Organizations: []string{"system:masters"}},
	}
}

func load(t *testing.T, dir Dir, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(dir.Cert(name), dir.Key(name))
	require.NoError(t, err)
	return pair.Leaf
}

func TestCertificatesVerifyForTheirUseOnly(t *testing.T) {
	dir := Dir(filepath.Join(t.TempDir(), "pki"))
	require.NoError(t, dir.Ensure(leaves()))
	authority, err := os.ReadFile(dir.CA())
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority))
	verify := func(name, host string, use x509.ExtKeyUsage) error {
		_, err := load(t, dir, name).Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{use}})
		return err
	}

	assert.NoError(t, verify("server", "127.0.0.1", x509.ExtKeyUsageServerAuth))
	assert.NoError(t, verify("server", "localhost", x509.ExtKeyUsageServerAuth))
	assert.Error(t, verify("server", "elsewhere", x509.ExtKeyUsageServerAuth))
	assert.Error(t, verify("server", "", x509.ExtKeyUsageClientAuth))
	assert.NoError(t, verify("admin", "", x509.ExtKeyUsageClientAuth))
	assert.Error(t, verify("admin", "", x509.ExtKeyUsageServerAuth))
	assert.Equal(t, []string{"system:masters"}, load(t, dir, "admin").Subject.Organization)
}

func TestEnsureKeepsWhatIsThere(t *testing.T) {
	dir := Dir(filepath.Join(t.TempDir(), "pki"))
	require.NoError(t, dir.Ensure(leaves()))
	first := load(t, dir, "admin")
	require.NoError(t, dir.Ensure(leaves()))
	assert.True(t, first.Equal(load(t, dir, "admin")))
}

func TestEnsureStartsOverAfterAnUnfinishedRun(t *testing.T) {
	dir := Dir(filepath.Join(t.TempDir(), "pki"))
	require.NoError(t, os.MkdirAll(string(dir)+".draft", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(string(dir)+".draft", "ca.crt"), []byte("half"), 0o644))
	require.NoError(t, dir.Ensure(leaves()))
	load(t, dir, "server")
}

func TestKeysAreForTheOwnerOnly(t *testing.T) {
	dir := Dir(filepath.Join(t.TempDir(), "pki"))
	require.NoError(t, dir.Ensure(leaves()))
	for _, key := range []string{dir.Key("server"), dir.Key("admin"), dir.TokenKey()} {
		info, err := os.Stat(key)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), key)
	}
}
