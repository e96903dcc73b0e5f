package signatures

import (
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"imagecatalog.dev/catalog/pkg/signature"
)

const (
	anyType = "cosign does not look at critical.type, by which the key may have signed something else"

	prehash = "cosign signs with Ed25519ph and verifies with Ed25519, so that it refuses what it signed itself"
)

func simpleSigningCases() []Case {
	return slices.Concat(goodSimpleSigning(), simpleSigningByOthers(), simpleSigningOfOthers(), brokenSimpleSigning())
}

func goodSimpleSigning() []Case {
	return []Case{
		{Name: "simple signing", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.sign(s.signed(s.own(), s.signer))
		}},
		{Name: "simple signing among others", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.sign(s.signed(s.own(), s.stranger), s.simple(s.own(), "no base64"), s.signed(payload("a.io/b", anotherImage, criticalType), s.signer), s.signed(s.own(), s.signer))
		}},
		{Name: "simple signing of another repository", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.sign(s.signed(payload("registry.example.com/acme/other", s.Image.DigestStr(), criticalType), s.signer))
		}},
		{Name: "simple signing by RSA", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) { s.signBy(NewSigner(s.t, newRSA(s.t))) }},
		{Name: "simple signing by Ed25519", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) { s.signBy(NewSigner(s.t, newEd25519(s.t))) }},
		{Name: "simple signing by Ed25519ph", Outcome: verified, Reason: signature.Signed, Cosign: prehash, lay: func(s *Stage) {
			s.signBy(NewSigner(s.t, newEd25519(s.t), options.WithED25519ph()))
		}},
		{Name: "simple signing by P-384", Outcome: verified, Reason: signature.Signed, Cosign: hardwired, lay: func(s *Stage) {
			s.signBy(NewSigner(s.t, newECDSA(s.t, elliptic.P384())))
		}},
	}
}

func simpleSigningByOthers() []Case {
	return []Case{
		{Name: "simple signing by a stranger", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.sign(s.signed(s.own(), s.stranger))
		}},
		{Name: "simple signing by a key of another type", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.sign(s.signed(s.own(), NewSigner(s.t, newEd25519(s.t))))
		}},
		{Name: "signature of another payload", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.sign(s.simple(s.own(), base64.StdEncoding.EncodeToString(s.signer.sign(s.t, payload("a.io/b", anotherImage, criticalType)))))
		}},
		{Name: "payload edited", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.sign(s.simple(strings.Replace(s.own(), "null", `{"tested":"true"}`, 1), base64.StdEncoding.EncodeToString(s.signer.sign(s.t, s.own()))))
		}},
		{Name: "signatures swapped", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			foreign := payload("a.io/b", anotherImage, criticalType)
			s.sign(s.simple(s.own(), base64.StdEncoding.EncodeToString(s.signer.sign(s.t, foreign))),
				s.simple(foreign, base64.StdEncoding.EncodeToString(s.signer.sign(s.t, s.own()))))
		}},
	}
}

func simpleSigningOfOthers() []Case {
	return []Case{
		{Name: "signature of another image", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), anotherImage, criticalType), s.signer))
		}},
		{Name: "signature of the digest without its algorithm", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), strings.TrimPrefix(s.Image.DigestStr(), "sha256:"), criticalType), s.signer))
		}},
		{Name: "signature of the digest in upper case", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), "sha256:"+strings.ToUpper(s.Image.DigestStr()[7:]), criticalType), s.signer))
		}},
		{Name: "signature without a digest", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), "", criticalType), s.signer))
		}},
		{Name: "signature of another critical type", Outcome: not, Reason: signature.NotASignature, Cosign: anyType, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), s.Image.DigestStr(), "atomic container signature"), s.signer))
		}},
		{Name: "signature without a critical type", Outcome: not, Reason: signature.NotASignature, Cosign: anyType, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), s.Image.DigestStr(), ""), s.signer))
		}},
		{Name: "payload null", Outcome: not, Reason: signature.NotASignature, lay: func(s *Stage) {
			s.sign(s.signed("null", s.signer))
		}},
		{Name: "payload of another media type", Outcome: not, Reason: signature.NotASignature, Cosign: "cosign does not look at the media type, which tells a signature from what else may be annotated", lay: func(s *Stage) {
			signed := base64.StdEncoding.EncodeToString(s.signer.sign(s.t, s.own()))
			s.sign(s.layer("application/json", s.own(), fmt.Sprintf(`,"annotations":{"dev.cosignproject.cosign/signature":%q}`, signed)))
		}},
	}
}

func brokenSimpleSigning() []Case {
	return []Case{
		{Name: "payload that is no JSON", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.sign(s.signed("payload", s.signer))
		}},
		{Name: "payload cut off", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.sign(s.signed(s.own()[:40], s.signer))
		}},
		{Name: "payload larger than any", Outcome: not, Reason: signature.SignatureMalformed, Cosign: "cosign reads what it is sent, however much", lay: func(s *Stage) {
			s.sign(s.signed(s.own()+strings.Repeat(" ", 64<<10), s.signer))
		}},
		{Name: "payload without a signature", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.sign(s.layer(simpleType, s.own(), ""))
		}},
		{Name: "payload with an empty signature", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.sign(s.simple(s.own(), ""))
		}},
		{Name: "signature that is no base64", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.sign(s.simple(s.own(), "signature"))
		}},
		{Name: "signature tag of an index", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.put(s.signatureTag(), string(types.OCIImageIndex), fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, types.OCIImageIndex))
		}},
		{Name: "signature tag without a layer", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) { s.sign() }},
	}
}

// signBy has another signer sign, whose key is the authority's.
func (s *Stage) signBy(by Signer) {
	s.Keys = by.PEM
	s.sign(s.signed(s.own(), by))
}
