package signature

import (
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

const fuzzDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

const (
	goodStatement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`
	goodPayload   = `{"critical":{"identity":{"docker-reference":"a.io/b"},"image":{"docker-manifest-digest":"` + fuzzDigest + `"},"type":"cosign container image signature"},"optional":null}`
)

// assertRefusal holds an error to being one that says what is wrong in a few words.
func assertRefusal(t *testing.T, err error) {
	t.Helper()
	var refused *Refusal
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, []Reason{KeyMismatch, SubjectMismatch, SignatureMalformed, NotASignature}, refused.Reason)
	assert.NotEmpty(t, refused.Text)
	assert.Less(t, len(refused.Text), 1024)
}

// Whatever is in a bundle, only what the key signed is a signature: the fuzzer does not have it.
func FuzzBundle(f *testing.F) {
	authority, sign := newAuthority(f, "first")
	good := fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`,
		base64.StdEncoding.EncodeToString([]byte(goodStatement)), payloadType, base64.StdEncoding.EncodeToString(sign(string(dsse.PAE(payloadType, []byte(goodStatement))))))
	s, err := readBundle(registry.ArtifactLayer{Content: []byte(good)}, fuzzDigest)
	require.NoError(f, err)
	require.NotNil(f, authority.signer(s))
	f.Add([]byte(good))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.3","messageSignature":{}}`))
	f.Add([]byte(`{"dsse_envelope":{"signatures":[null]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := readBundle(registry.ArtifactLayer{Content: content}, fuzzDigest)
		if err != nil {
			assertRefusal(t, err)
			return
		}
		if authority.signer(s) != nil {
			assert.Equal(t, dsse.PAE(payloadType, []byte(goodStatement)), s.Message)
		}
	})
}

// Whatever an envelope says of itself, what it holds is read only as what it was signed as.
func FuzzEnvelope(f *testing.F) {
	f.Add(payloadType, []byte(goodStatement), []byte("signature"), 1)
	f.Add("application/vnd.dev.cosign.simplesigning.v1+json", []byte(goodPayload), []byte("signature"), 1)
	f.Add(payloadType, []byte(goodStatement), []byte{}, 2)
	f.Fuzz(func(t *testing.T, kind string, content, signed []byte, count int) {
		envelope := &protodsse.Envelope{PayloadType: kind, Payload: content}
		for range max(min(count, 4), 0) {
			envelope.Signatures = append(envelope.Signatures, &protodsse.Signature{Sig: signed})
		}
		got, err := readEnvelope(envelope, fuzzDigest)
		if err != nil {
			assertRefusal(t, err)
			return
		}
		assert.Equal(t, payloadType, kind)
		assert.Len(t, envelope.Signatures, 1)
		assert.Equal(t, signed, got)
		assert.NoError(t, readStatement(content, fuzzDigest))
	})
}

// A statement that counts for one image counts for no other that it does not name.
func FuzzStatement(f *testing.F) {
	f.Add([]byte(goodStatement))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{}],"predicateType":"https://slsa.dev/provenance/v1"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := readStatement(content, fuzzDigest); err != nil {
			assertRefusal(t, err)
			return
		}
		assert.Error(t, readStatement(content, "sha256:"+strings.Repeat("0123456789abcdef", 4)))
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(goodPayload))
	f.Add([]byte(`{"critical":{"type":"atomic container signature"}}`))
	f.Add([]byte(`{"critical":null,"optional":{"a":1}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		identity, err := readPayload(content, fuzzDigest)
		if err != nil {
			assertRefusal(t, err)
			return
		}
		assert.LessOrEqual(t, len(identity), registry.MaxNameBytes)
	})
}

// Whatever is given for keys, those that are taken have distinct names if they are distinct, and verify nothing by accident.
func FuzzKeys(f *testing.F) {
	good := encoded(f, newECDSA(f, elliptic.P256()).Public())
	f.Add([]byte(good))
	f.Add([]byte(good + good))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PUBLIC KEY-----\nMAYCAQECAQM=\n-----END RSA PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ParseKeys(text)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, keys)
		require.LessOrEqual(t, len(keys), MaxKeys)
		for _, key := range keys {
			assert.False(t, key.made([]byte("signature"), []byte("message")))
		}
	})
}
