package keypair

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

type pair struct{ key, certificate, ca []byte }

func newPair(t *testing.T, host string) pair {
	t.Helper()
	key, certificate, ca, err := certresources.CreateCerts(t.Context(), host, "test", time.Now().Add(time.Hour))
	require.NoError(t, err)
	return pair{key, certificate, ca}
}

// write replaces both files at once, as the kubelet does: what is read goes through a link to a directory.
func write(t *testing.T, dir string, p pair, certificate, key string) {
	t.Helper()
	version, err := os.MkdirTemp(dir, "version-")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(version, certificate), p.certificate, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(version, key), p.key, 0o600))
	next := filepath.Join(dir, "next")
	require.NoError(t, os.Symlink(version, next))
	require.NoError(t, os.Rename(next, filepath.Join(dir, "now")))
}

func open(t *testing.T, dir string) (*Directory, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	d, err := Open(filepath.Join(dir, "now"), zap.New(core).Sugar())
	require.NoError(t, err)
	return d, logs
}

// served is the name of the certificate that a client is given, who trusts the CA.
func served(t *testing.T, d *Directory) string {
	t.Helper()
	certificate, err := d.Certificate(nil)
	require.NoError(t, err)
	return certificate.Leaf.DNSNames[0]
}

// later lets the pause pass for the directory.
func (d *Directory) later() { d.read = time.Time{} }

func TestBothFormsOfASecret(t *testing.T) {
	for _, form := range forms {
		dir := t.TempDir()
		p := newPair(t, "one")
		write(t, dir, p, form.certificate, form.key)
		d, _ := open(t, dir)
		certificate, err := d.Certificate(nil)
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(p.ca))
		_, err = certificate.Leaf.Verify(x509.VerifyOptions{DNSName: "one.test.svc", Roots: roots})
		assert.NoError(t, err)
	}
}

func TestANewCertificateIsServed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, newPair(t, "one"), "server-cert.pem", "server-key.pem")
	d, logs := open(t, dir)
	write(t, dir, newPair(t, "two"), "server-cert.pem", "server-key.pem")
	d.later()
	assert.Equal(t, "two", served(t, d))
	write(t, dir, newPair(t, "three"), "tls.crt", "tls.key")
	d.later()
	assert.Equal(t, "three", served(t, d), "from another issuer, too")
	assert.Equal(t, 2, logs.Len())
}

func TestABadNewCertificateIsLoggedOnceAndNotServed(t *testing.T) {
	one, two := newPair(t, "one"), newPair(t, "two")
	for what, spoil := range map[string]func(t *testing.T, dir string){
		"no certificate": func(t *testing.T, dir string) {
			write(t, dir, pair{two.key, []byte("nonsense"), nil}, "tls.crt", "tls.key")
		},
		"the key of another": func(t *testing.T, dir string) {
			write(t, dir, pair{one.key, two.certificate, nil}, "tls.crt", "tls.key")
		},
		"no key": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "now", "tls.key")))
		},
		"nothing": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "now")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, one, "tls.crt", "tls.key")
			d, logs := open(t, dir)
			spoil(t, dir)
			for range 3 {
				d.later()
				assert.Equal(t, "one", served(t, d))
			}
			require.Equal(t, 1, logs.Len(), "%v", logs.All())
			assert.Contains(t, logs.All()[0].ContextMap()["error"], dir)

			write(t, dir, two, "tls.crt", "tls.key")
			d.later()
			assert.Equal(t, "two", served(t, d), "it is mended")
		})
	}
}

func TestADirectoryWithoutACertificateIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir, zap.NewNop().Sugar())
	require.EqualError(t, err, "no certificate is in "+dir+": put tls.crt and tls.key there, or server-cert.pem and server-key.pem")
}

// No handshake fails while certificates come and go.
func TestHandshakesGoOnWhileCertificatesChange(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, newPair(t, "one"), "tls.crt", "tls.key")
	d, _ := open(t, dir)
	var group sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					certificate, err := d.Certificate(&tls.ClientHelloInfo{})
					assert.NoError(t, err)
					assert.NotNil(t, certificate)
				}
			}
		})
	}
	for range 20 {
		write(t, dir, newPair(t, "next"), "tls.crt", "tls.key")
		d.reading.Lock()
		d.later()
		d.reading.Unlock()
	}
	close(done)
	group.Wait()
}
