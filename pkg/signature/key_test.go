package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func encoded(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	content, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	return block("PUBLIC KEY", content)
}

func block(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}

func newECDSA(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return private
}

func newRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return private
}

func TestParseKeys(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ec, r := newECDSA(t, elliptic.P256()).Public(), newRSA(t, 2048)
	for title, test := range map[string]struct {
		text  string
		count int
	}{
		"ECDSA":              {encoded(t, ec), 1},
		"P-384":              {encoded(t, newECDSA(t, elliptic.P384()).Public()), 1},
		"P-521":              {encoded(t, newECDSA(t, elliptic.P521()).Public()), 1},
		"RSA":                {encoded(t, r.Public()), 1},
		"RSA as PKCS #1":     {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&r.PublicKey)), 1},
		"Ed25519":            {encoded(t, public), 1},
		"without an end":     {strings.TrimSpace(encoded(t, ec)), 1},
		"with spaces around": {"\n " + encoded(t, ec) + "\n\n", 1},
		"with CR LF":         {strings.ReplaceAll(encoded(t, ec), "\n", "\r\n"), 1},
		"several":            {encoded(t, ec) + "\n" + encoded(t, public) + encoded(t, r.Public()), 3},
		"as many as can be":  {strings.Repeat(encoded(t, ec), MaxKeys), MaxKeys},
	} {
		keys, err := ParseKeys([]byte(test.text))
		require.NoError(t, err, title)
		assert.Len(t, keys, test.count, title)
		for _, key := range keys {
			assert.Regexp(t, `^sha256:[0-9a-f]{64}$`, key.ID(), title)
		}
	}
}

func TestParseKeysRefuses(t *testing.T) {
	ec := newECDSA(t, elliptic.P256())
	private, err := x509.MarshalPKCS8PrivateKey(ec)
	require.NoError(t, err)
	good := encoded(t, ec.Public())
	for title, test := range map[string]struct{ text, says string }{
		"nothing":         {"", "it holds no key"},
		"space":           {" \n", "it holds no key"},
		"no PEM":          {"cosign.pub", "there is no PEM block where key 1 should begin"},
		"text after it":   {good + "cosign.pub", "there is no PEM block where key 2 should begin"},
		"text before it":  {"my key\n" + good, "there is no PEM block where key 1 should begin"},
		"cut off":         {good[:len(good)-30], "the PEM block of key 1 cannot be read"},
		"private key":     {block("PRIVATE KEY", private), "key 1: it is a private key"},
		"cosign's":        {block("ENCRYPTED SIGSTORE PRIVATE KEY", private), "key 1: it is a private key"},
		"the second":      {good + block("PRIVATE KEY", private), "key 2: it is a private key"},
		"certificate":     {block("CERTIFICATE", private), `key 1: it is a "CERTIFICATE" and no public key`},
		"garbage":         {block("PUBLIC KEY", []byte("key")), "key 1: "},
		"short RSA":       {encoded(t, newRSA(t, 1024).Public()), "key 1: it is of RSA with 1024 bits, and 2048, 3072 or 4096 are accepted"},
		"weak curve":      {encoded(t, newECDSA(t, elliptic.P224()).Public()), "key 1: it is of the curve P-224, and P-256, P-384 or P-521 are accepted"},
		"too many":        {strings.Repeat(good, MaxKeys+1), "it has more than 32 keys"},
		"too long":        {strings.Repeat(" ", MaxKeyBytes+1), "it has 65537 bytes, and 65536 is the most for public keys"},
		"other algorithm": {block("PUBLIC KEY", x25519), "key 1: it is neither of ECDSA nor of RSA nor of Ed25519"},
	} {
		_, err := ParseKeys([]byte(test.text))
		require.Error(t, err, title)
		assert.Contains(t, err.Error(), test.says, title)
	}
}

// x25519 is a key to agree on others with, and not to sign with (RFC 8410).
var x25519 = append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00}, make([]byte, 32)...)
