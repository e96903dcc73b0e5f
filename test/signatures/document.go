package signatures

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// The types of documents, once more: a corpus that took them from the package under test would agree with it in error.
const (
	statementType  = "https://in-toto.io/Statement/v1"
	signPredicate  = "https://sigstore.dev/cosign/sign/v1"
	inToto         = "application/vnd.in-toto+json"
	bundleType     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	simpleType     = "application/vnd.dev.cosign.simplesigning.v1+json"
	criticalType   = "cosign container image signature"
	provenanceType = "https://slsa.dev/provenance/v1"
)

// anotherImage is the digest of one that lies nowhere.
var anotherImage = digestOf("another image")

// payload is what simple signing signs.
func payload(reference, digest, kind string) string {
	return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":%q},"optional":null}`, reference, digest, kind)
}

// subjectOf is the digest as a statement writes it.
func subjectOf(digest string) string {
	algorithm, value, _ := strings.Cut(digest, ":")
	return fmt.Sprintf(`{"digest":{%q:%q}}`, algorithm, value)
}

// statement is what a bundle signs.
func statement(kind, predicate string, subjects ...string) string {
	return fmt.Sprintf(`{"_type":%q,"subject":[%s],"predicateType":%q,"predicate":{}}`, kind, strings.Join(subjects, ","), predicate)
}

// pae is the DSSE pre-authentication encoding: what is signed of an envelope.
func pae(kind, content string) string { return string(dsse.PAE(kind, []byte(content))) }

// envelope is a DSSE envelope with signatures.
func envelope(kind, content string, signed ...[]byte) string {
	var list []string
	for _, s := range signed {
		list = append(list, fmt.Sprintf(`{"sig":%q}`, base64.StdEncoding.EncodeToString(s)))
	}
	return fmt.Sprintf(`{"payload":%q,"payloadType":%q,"signatures":[%s]}`, base64.StdEncoding.EncodeToString([]byte(content)), kind, strings.Join(list, ","))
}

// What may verify a bundle.
const byKey = `"verificationMaterial":{"publicKey":{"hint":"any"}}`

// bundle is a Sigstore bundle around an envelope.
func bundle(material, envelope string) string {
	return fmt.Sprintf(`{"mediaType":%q,%s,"dsseEnvelope":%s}`, bundleType, material, envelope)
}
