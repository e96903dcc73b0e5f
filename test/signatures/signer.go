package signatures

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/stretchr/testify/require"
)

// Signer signs with a key that is made for it.
type Signer struct {
	signer signature.Signer
	// PEM is the public key.
	PEM string
}

// NewSigner signs with the private key, as Sigstore does by default with keys of its kind or as the options say.
func NewSigner(t testing.TB, private crypto.Signer, options ...signature.LoadOption) Signer {
	t.Helper()
	signer, err := signature.LoadDefaultSigner(private)
	if len(options) > 0 {
		signer, err = signature.LoadSignerWithOpts(private, options...)
	}
	require.NoError(t, err)
	public, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	require.NoError(t, err)
	return Signer{signer: signer, PEM: string(public)}
}

func (s Signer) sign(t testing.TB, message string) []byte {
	t.Helper()
	signed, err := s.signer.SignMessage(bytes.NewReader([]byte(message)))
	require.NoError(t, err)
	return signed
}

func newECDSA(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return private
}

func newRSA(t testing.TB) crypto.Signer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return private
}

func newEd25519(t testing.TB) crypto.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return private
}
