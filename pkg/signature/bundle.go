package signature

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"imagecatalog.dev/catalog/pkg/registry"
)

// What cosign's bundles consist of: a Sigstore bundle (https://docs.sigstore.dev/about/bundle/) as the one layer of an
// artifact, in it a DSSE envelope (https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md), in that an in-toto
// statement (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md).
const (
	bundleMediaTypes = "application/vnd.dev.sigstore.bundle" // what all of them begin with
	statementType    = "https://in-toto.io/Statement/v1"
	payloadType      = "application/vnd.in-toto+json"
	// signPredicate is what makes a statement a signature.
	signPredicate = "https://sigstore.dev/cosign/sign/v1"
	// maxSubjects is how many images a statement may be about. Cosign writes one.
	maxSubjects = 64
)

// bundleVersions are the media types that a bundle may call itself: version 0.3 in its two spellings. Earlier ones were never
// attached to images.
var bundleVersions = []string{bundleMediaTypes + ".v0.3+json", bundleMediaTypes + "+json;version=0.3"}

// statement is the part of an in-toto statement that a signature has.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
}

type subject struct {
	Digest map[string]string `json:"digest"`
}

// readBundle takes a layer of an artifact that refers to the image with the digest for a signature of it.
func readBundle(layer registry.ArtifactLayer, digest string) (Signature, error) {
	var bundle protobundle.Bundle
	if err := protojson.Unmarshal(layer.Content, &bundle); err != nil {
		return Signature{}, refuse(SignatureMalformed, "its bundle cannot be read: %.200v", err)
	}
	if !slices.Contains(bundleVersions, bundle.GetMediaType()) {
		return Signature{}, refuse(SignatureMalformed, "its bundle calls itself %.80q, and only version 0.3 is understood", bundle.GetMediaType())
	}
	envelope := bundle.GetDsseEnvelope()
	if envelope == nil {
		return Signature{}, refuse(NotASignature, "its bundle holds no statement in a DSSE envelope")
	}
	signed, err := readEnvelope(envelope, digest)
	if err != nil {
		return Signature{}, err
	}
	material := bundle.GetVerificationMaterial()
	switch {
	case material.GetPublicKey() != nil:
		return Signature{Form: Bundle, Message: dsse.PAE(envelope.GetPayloadType(), envelope.GetPayload()), Signed: signed}, nil
	case material.GetCertificate() != nil, material.GetX509CertificateChain() != nil:
		return Signature{}, refuse(KeyMismatch, "it was made with a certificate and not with a key")
	default:
		return Signature{}, refuse(SignatureMalformed, "its bundle does not say what verifies it")
	}
}

// readEnvelope demands that a DSSE envelope holds a signature of the image with the digest, and gives its bytes. A bundle's
// envelope has exactly one, though DSSE itself allows several (sigstore_bundle.proto, dsse_envelope).
func readEnvelope(envelope *protodsse.Envelope, digest string) ([]byte, error) {
	if n := len(envelope.GetSignatures()); n != 1 {
		return nil, refuse(SignatureMalformed, "its envelope has %d signatures instead of one", n)
	}
	if envelope.GetPayloadType() != payloadType {
		return nil, refuse(NotASignature, "its envelope holds a %.80q and no in-toto statement", envelope.GetPayloadType())
	}
	if n := len(envelope.GetPayload()); n > maxPayloadBytes {
		return nil, refuse(SignatureMalformed, "its statement has %d bytes, and %d is the most", n, maxPayloadBytes)
	}
	if err := readStatement(envelope.GetPayload(), digest); err != nil {
		return nil, err
	}
	return envelope.GetSignatures()[0].GetSig(), nil
}

// readStatement demands that an in-toto statement is a signature of the image with the digest.
func readStatement(content []byte, digest string) error {
	var s statement
	if err := json.Unmarshal(content, &s); err != nil {
		return refuse(SignatureMalformed, "its statement cannot be read: %.200v", err)
	}
	if s.Type != statementType {
		return refuse(NotASignature, "its statement calls itself %.80q", s.Type)
	}
	if s.PredicateType != signPredicate {
		return refuse(NotASignature, "it is an attestation, %.80q, and no signature", s.PredicateType)
	}
	if len(s.Subject) > maxSubjects {
		return refuse(SignatureMalformed, "its statement is about %d subjects, and %d is the most", len(s.Subject), maxSubjects)
	}
	algorithm, value, _ := strings.Cut(digest, ":")
	if !slices.ContainsFunc(s.Subject, func(s subject) bool { return s.Digest[algorithm] == value }) {
		return refuse(SubjectMismatch, "its statement is not about this image")
	}
	return nil
}
