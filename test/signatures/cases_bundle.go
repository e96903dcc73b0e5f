package signatures

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"imagecatalog.dev/catalog/pkg/signature"
)

// Why cosign, which is asked for signatures, is content with less.
const (
	anyStatement = "cosign takes every statement by the key for a signature, also one that says how the image was built"
	hardwired    = "cosign signs with the curve's own hash and verifies with SHA-256 unless --signature-digest-algorithm says otherwise; the key tells which hashes are possible"
)

func bundleCases() []Case {
	return slices.Concat(goodBundles(), bundlesByOthers(), bundlesAboutOthers(), otherStatements(), brokenEnvelopes(), brokenBundles())
}

func goodBundles() []Case {
	return []Case{
		{Name: "bundle", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), s.signer))
		}},
		{Name: "bundle among forgeries", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.attach("{}")
			s.attach(s.bundled(s.ownStatement(), s.stranger))
			s.attach(s.bundled(statement(statementType, provenanceType, subjectOf(s.Image.DigestStr())), s.signer))
			s.attach(s.bundled(s.ownStatement(), s.signer))
		}},
		{Name: "bundle by the second of two keys", Outcome: verified, Reason: signature.Signed, Cosign: "cosign reads the first key of a file and no other", lay: func(s *Stage) {
			s.Keys = s.stranger.PEM + s.signer.PEM
			s.attach(s.bundled(s.ownStatement(), s.signer))
		}},
		{Name: "bundle by RSA", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) { s.attachBy(NewSigner(s.t, newRSA(s.t))) }},
		{Name: "bundle by Ed25519", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) { s.attachBy(NewSigner(s.t, newEd25519(s.t))) }},
		{Name: "bundle by P-384", Outcome: verified, Reason: signature.Signed, Cosign: hardwired, lay: func(s *Stage) {
			s.attachBy(NewSigner(s.t, newECDSA(s.t, elliptic.P384())))
		}},
		{Name: "bundle by P-521 with SHA-256", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.attachBy(NewSigner(s.t, newECDSA(s.t, elliptic.P521()), options.WithHash(crypto.SHA256)))
		}},
		{Name: "bundle about two images", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, signPredicate, subjectOf(anotherImage), subjectOf(s.Image.DigestStr())), s.signer))
		}},
	}
}

func bundlesByOthers() []Case {
	return []Case{
		{Name: "bundle by a stranger", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), s.stranger))
		}},
		{Name: "bundle by a key of another type", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), NewSigner(s.t, newRSA(s.t))))
		}},
		{Name: "bundle by RSA-PSS", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.attachBy(NewSigner(s.t, newRSA(s.t), options.WithRSAPSS(&rsa.PSSOptions{})))
		}},
		{Name: "bundle with the signature of another statement", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			signed := s.signer.sign(s.t, pae(inToto, statement(statementType, signPredicate, subjectOf(anotherImage))))
			s.attach(bundle(byKey, envelope(inToto, s.ownStatement(), signed)))
		}},
		{Name: "statement edited", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			signed := s.signer.sign(s.t, pae(inToto, s.ownStatement()))
			s.attach(bundle(byKey, envelope(inToto, strings.Replace(s.ownStatement(), `"predicate":{}`, `"predicate":{"tested":true}`, 1), signed)))
		}},
		{Name: "bundle whose statement was signed without its type", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.attach(bundle(byKey, envelope(inToto, s.ownStatement(), s.signer.sign(s.t, s.ownStatement()))))
		}},
		{Name: "bundle whose signature has a byte more", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			signed := append(s.signer.sign(s.t, pae(inToto, s.ownStatement())), 0)
			s.attach(bundle(byKey, envelope(inToto, s.ownStatement(), signed)))
		}},
		{Name: "bundle with an empty signature", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			s.attach(bundle(byKey, envelope(inToto, s.ownStatement(), nil)))
		}},
		{Name: "bundle of a certificate", Outcome: not, Reason: signature.KeyMismatch, lay: func(s *Stage) {
			material := fmt.Sprintf(`"verificationMaterial":{"certificate":{"rawBytes":%q}}`, base64.StdEncoding.EncodeToString([]byte("certificate")))
			s.attach(bundle(material, envelope(inToto, s.ownStatement(), s.signer.sign(s.t, pae(inToto, s.ownStatement())))))
		}},
	}
}

func bundlesAboutOthers() []Case {
	return []Case{
		{Name: "bundle of another image", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, signPredicate, subjectOf(anotherImage)), s.signer))
		}},
		{Name: "bundle about nothing", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, signPredicate), s.signer))
		}},
		{Name: "bundle with the digest of another algorithm", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, signPredicate, strings.Replace(subjectOf(s.Image.DigestStr()), "sha256", "sha512", 1)), s.signer))
		}},
		{Name: "bundle with half of the digest", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, signPredicate, subjectOf(s.Image.DigestStr()[:39])), s.signer))
		}},
	}
}

func otherStatements() []Case {
	return []Case{
		{Name: "attestation", Outcome: not, Reason: signature.NotASignature, Cosign: anyStatement, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, provenanceType, subjectOf(s.Image.DigestStr())), s.signer))
		}},
		{Name: "statement with another predicate type", Outcome: not, Reason: signature.NotASignature, Cosign: anyStatement, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, signPredicate+"1", subjectOf(s.Image.DigestStr())), s.signer))
		}},
		{Name: "statement without a predicate type", Outcome: not, Reason: signature.NotASignature, Cosign: anyStatement, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, "", subjectOf(s.Image.DigestStr())), s.signer))
		}},
		{Name: "statement of another type", Outcome: not, Reason: signature.NotASignature, Cosign: anyStatement, lay: func(s *Stage) {
			s.attach(s.bundled(statement("https://example.com/Statement/v1", signPredicate, subjectOf(s.Image.DigestStr())), s.signer))
		}},
		{Name: "attestation that nobody signed", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(bundle(byKey, envelope(inToto, statement(statementType, provenanceType, subjectOf(s.Image.DigestStr())))))
		}},
		{Name: "attestation by a stranger", Outcome: not, Reason: signature.NotASignature, lay: func(s *Stage) {
			s.attach(s.bundled(statement(statementType, provenanceType, subjectOf(s.Image.DigestStr())), s.stranger))
		}},
		{Name: "envelope whose type was edited", Outcome: not, Reason: signature.NotASignature, lay: func(s *Stage) {
			s.attach(bundle(byKey, envelope("application/json", s.ownStatement(), s.signer.sign(s.t, pae(inToto, s.ownStatement())))))
		}},
		{Name: "envelope of simple signing", Outcome: not, Reason: signature.NotASignature, lay: func(s *Stage) {
			signed := s.signer.sign(s.t, pae(simpleType, s.own()))
			s.attach(bundle(byKey, envelope(simpleType, s.own(), signed)))
		}},
		{Name: "bundle of a signed blob", Outcome: not, Reason: signature.NotASignature, lay: func(s *Stage) {
			s.attach(fmt.Sprintf(`{"mediaType":%q,%s,"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":%q},"signature":%q}}`,
				bundleType, byKey, base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString(s.signer.sign(s.t, s.ownStatement()))))
		}},
	}
}

func brokenEnvelopes() []Case {
	return []Case{
		{Name: "envelope with two signatures", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			message := pae(inToto, s.ownStatement())
			s.attach(bundle(byKey, envelope(inToto, s.ownStatement(), s.stranger.sign(s.t, message), s.signer.sign(s.t, message))))
		}},
		{Name: "envelope without a signature", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(bundle(byKey, envelope(inToto, s.ownStatement())))
		}},
		{Name: "statement that is no JSON", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(s.bundled("statement", s.signer))
		}},
		{Name: "statement about too many", Outcome: not, Reason: signature.SignatureMalformed, Cosign: "cosign takes up to 1,024 subjects and writes one; 64 are plenty", lay: func(s *Stage) {
			many := make([]string, 65)
			for i := range many {
				many[i] = subjectOf(digestOf(fmt.Sprint(i)))
			}
			many[64] = subjectOf(s.Image.DigestStr())
			s.attach(s.bundled(statement(statementType, signPredicate, many...), s.signer))
		}},
	}
}

func brokenBundles() []Case {
	return []Case{
		{Name: "bundle cut off", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			whole := s.bundled(s.ownStatement(), s.signer)
			s.attach(whole[:len(whole)-2])
		}},
		{Name: "bundle with an unknown field", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(strings.Replace(s.bundled(s.ownStatement(), s.signer), "{", `{"trusted":true,`, 1))
		}},
		{Name: "bundle with a field twice", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(strings.Replace(s.bundled(s.ownStatement(), s.signer), "{", fmt.Sprintf(`{"mediaType":%q,`, bundleType), 1))
		}},
		{Name: "bundle without what verifies it", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(strings.Replace(s.bundled(s.ownStatement(), s.signer), byKey, `"verificationMaterial":{}`, 1))
		}},
		{Name: "bundle of an earlier version", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(strings.Replace(s.bundled(s.ownStatement(), s.signer), "v0.3", "v0.2", 1))
		}},
		{Name: "bundle of a later version", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) {
			s.attach(strings.Replace(s.bundled(s.ownStatement(), s.signer), "v0.3", "v0.4", 1))
		}},
		{Name: "bundle larger than any", Outcome: not, Reason: signature.SignatureMalformed, Cosign: "cosign reads what it is sent, however much", lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), s.signer) + strings.Repeat(" ", 1<<20))
		}},
		{Name: "bundle beside another layer", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			s.refer(s.layer(bundleType, s.bundled(s.ownStatement(), s.signer), ""), s.layer(bundleType, "{}", ""))
		}},
		{Name: "bundle that is called something else", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			s.refer(s.layer("application/json", s.bundled(s.ownStatement(), s.signer), ""))
		}},
		{Name: "forged bundle", Outcome: not, Reason: signature.SignatureMalformed, lay: func(s *Stage) { s.attach("{}") }},
	}
}

// attachBy has another signer sign, whose key is the authority's.
func (s *Stage) attachBy(by Signer) {
	s.Keys = by.PEM
	s.attach(s.bundled(s.ownStatement(), by))
}
