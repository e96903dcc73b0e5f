package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

const (
	// MaxKeys is how many public keys one text may hold: the current one, the next, and those that are being retired.
	MaxKeys = 32
	// MaxKeyBytes is the longest text that is read for keys. One of RSA with 4096 bits has 800 bytes.
	MaxKeyBytes = 64 << 10
)

// Key is a public key that signatures are verified with.
type Key struct {
	id string
	// verifiers are the algorithms that signers use with such a key.
	verifiers []signature.Verifier
}

// ID tells keys apart: sha256: and the digest of the key's SubjectPublicKeyInfo (RFC 5280, section 4.1).
func (k *Key) ID() string { return k.id }

// ParseKeys reads public keys as PEM (RFC 7468, section 13), one or several, of ECDSA (P-256, P-384, P-521), RSA (2048, 3072
// or 4096 bits) or Ed25519. The error is a sentence without an end that says what there is instead.
func ParseKeys(text []byte) ([]*Key, error) {
	if len(text) > MaxKeyBytes {
		return nil, fmt.Errorf("it has %d bytes, and %d is the most for public keys", len(text), MaxKeyBytes)
	}
	var keys []*Key
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if len(keys) == MaxKeys {
			return nil, fmt.Errorf("it has more than %d keys", MaxKeys)
		}
		if !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return nil, fmt.Errorf("there is no PEM block where key %d should begin", len(keys)+1)
		}
		block, after := pem.Decode(rest)
		if block == nil {
			return nil, fmt.Errorf("the PEM block of key %d cannot be read", len(keys)+1)
		}
		key, err := parseKey(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}
		keys, rest = append(keys, key), after
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

func parseKey(block *pem.Block) (*Key, error) {
	var public crypto.PublicKey
	var err error
	switch {
	case block.Type == string(cryptoutils.PublicKeyPEMType):
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == string(cryptoutils.PKCS1PublicKeyPEMType):
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it is a private key, which belongs nowhere but to the signer")
	default:
		return nil, fmt.Errorf("it is a %.40q and no public key", block.Type)
	}
	if err != nil {
		return nil, err
	}
	return newKey(public)
}

func newKey(public crypto.PublicKey) (*Key, error) {
	if err := checkKey(public); err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	key := &Key{id: fmt.Sprintf("sha256:%x", sha256.Sum256(encoded))}
	for _, algorithm := range algorithms(public) {
		verifier, err := signature.LoadVerifierWithOpts(public, algorithm)
		if err != nil {
			return nil, err
		}
		key.verifiers = append(key.verifiers, verifier)
	}
	return key, nil
}

// checkKey takes the sizes and curves of Sigstore's algorithm registry
// (https://github.com/sigstore/architecture-docs/blob/main/algorithm-registry.md).
func checkKey(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); bits {
		case 2048, 3072, 4096:
			return nil
		default:
			return fmt.Errorf("it is of RSA with %d bits, and 2048, 3072 or 4096 are accepted", bits)
		}
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256, 384, 521:
			return nil
		default:
			return fmt.Errorf("it is of the curve %s, and P-256, P-384 or P-521 are accepted", key.Curve.Params().Name)
		}
	case ed25519.PublicKey:
		return nil
	default:
		return errors.New("it is neither of ECDSA nor of RSA nor of Ed25519")
	}
}

// algorithms that cosign signs with. Where there are two the second is older: it hashed with SHA-256 whatever the curve, and
// did not hash before Ed25519 (cosign, GetDefaultLoadOptions).
func algorithms(public crypto.PublicKey) []signature.LoadOption {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 384:
			return []signature.LoadOption{options.WithHash(crypto.SHA384), options.WithHash(crypto.SHA256)}
		case 521:
			return []signature.LoadOption{options.WithHash(crypto.SHA512), options.WithHash(crypto.SHA256)}
		}
	case ed25519.PublicKey:
		return []signature.LoadOption{options.WithED25519ph(), options.WithHash(crypto.SHA512)}
	}
	return []signature.LoadOption{options.WithHash(crypto.SHA256)}
}

// made says whether the signature of the message was made with the key's other half.
func (k *Key) made(signed, message []byte) bool {
	for _, verifier := range k.verifiers {
		if verifier.VerifySignature(bytes.NewReader(signed), bytes.NewReader(message)) == nil {
			return true
		}
	}
	return false
}
