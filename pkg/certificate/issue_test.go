package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	certutil "k8s.io/client-go/util/cert"
)

func TestACertificateIsForAllNamesOfAService(t *testing.T) {
	made := issuedFor(t, "query", time.Now().Add(time.Hour))
	pair, err := tls.X509KeyPair(made.certificate, made.key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(made.ca))
	for _, name := range []string{"query", "query.image-catalog", "query.image-catalog.svc", "query.image-catalog.svc.cluster.local"} {
		_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots})
		assert.NoError(t, err, name)
	}
}

// What OpenSSL wants to know its issuer by, of several CAs in one file, too.
func TestACertificateAndItsIssuerAreToldApart(t *testing.T) {
	made, next := issuedFor(t, "query", time.Now().Add(time.Hour)), issuedFor(t, "query", time.Now().Add(time.Hour))
	pair, err := tls.X509KeyPair(made.certificate, made.key)
	require.NoError(t, err)
	cas, err := certutil.ParseCertsPEM(append(made.ca, next.ca...))
	require.NoError(t, err)
	assert.NotEqual(t, pair.Leaf.RawSubject, pair.Leaf.RawIssuer)
	assert.Equal(t, cas[0].RawSubject, pair.Leaf.RawIssuer)
	assert.NotEmpty(t, pair.Leaf.AuthorityKeyId)
	assert.Equal(t, cas[0].SubjectKeyId, pair.Leaf.AuthorityKeyId)
	assert.NotEqual(t, cas[1].SubjectKeyId, pair.Leaf.AuthorityKeyId)
}
