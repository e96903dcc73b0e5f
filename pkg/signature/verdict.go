package signature

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/registry"
)

// Outcome is what is known about a signature.
type Outcome string

// The outcomes.
const (
	Verified    Outcome = "Verified"
	NotVerified Outcome = "NotVerified"
	// Unknown: not all that is there could be read, and nothing that was read is enough.
	Unknown Outcome = "Unknown"
)

// Reason says in one word why an outcome is what it is. It is a condition reason and a Task result. That of Unknown is a
// registry.Reason.
type Reason string

// The reasons of Verified and NotVerified.
const (
	// Signed: the authority signed the image.
	Signed Reason = "Signed"
	// Unsigned: there is nothing that could be a signature.
	Unsigned Reason = "Unsigned"
	// KeyMismatch: there are signatures, and none was made with a key of the authority, or they were changed since.
	KeyMismatch Reason = "KeyMismatch"
	// SubjectMismatch: what is there is a signature of another image.
	SubjectMismatch Reason = "SubjectMismatch"
	// SignatureMalformed: what is there cannot be read.
	SignatureMalformed Reason = "SignatureMalformed"
	// NotASignature: what is there says something else about the image, for example how it was built.
	NotASignature Reason = "NotASignature"
	// NoAuthority: there is nobody whose signature would count.
	NoAuthority Reason = "NoAuthority"
)

// Finding is what one authority has to do with an image.
type Finding struct {
	Authority string
	Outcome   Outcome
	Reason    Reason
	// Key that made the signature, by its ID; empty unless the outcome is Verified.
	Key string
	// Text says what was found, in a sentence without a beginning and an end: "<authority>: <text>".
	Text string
}

// Verdict on the signatures of an image.
type Verdict struct {
	// Outcome is Verified if that of one finding is, else Unknown if that of one is.
	Outcome Outcome
	// Findings, one for each authority in their order.
	Findings []Finding
}

// Verify collects the signatures of an image until every authority has signed it, and judges them.
func Verify(ctx context.Context, from Registry, image name.Digest, keychain authn.Keychain, authorities []Authority) Verdict {
	if len(authorities) == 0 {
		return Judge(&Evidence{Digest: image.DigestStr()}, nil)
	}
	each := slices.Collect(slices.Chunk(authorities, 1))
	return Judge(Collect(ctx, from, image, keychain, Enough(each...)), authorities)
}

// Judge holds evidence against authorities. Whoever judges evidence that was not collected for these authorities must have
// collected all of it.
func Judge(e *Evidence, authorities []Authority) Verdict {
	if len(authorities) == 0 {
		return Verdict{Outcome: NotVerified, Findings: []Finding{{Outcome: NotVerified, Reason: NoAuthority, Text: "nobody is named whose signature would count"}}}
	}
	v := Verdict{Outcome: NotVerified}
	for _, authority := range authorities {
		f := authority.judge(e)
		f.Authority = authority.Name
		v.Findings = append(v.Findings, f)
		switch {
		case f.Outcome == Verified:
			v.Outcome = Verified
		case f.Outcome == Unknown && v.Outcome != Verified:
			v.Outcome = Unknown
		}
	}
	return v
}

func (a Authority) judge(e *Evidence) Finding {
	if len(a.Keys) == 0 {
		return Finding{Outcome: NotVerified, Reason: NoAuthority, Text: "it has no key"}
	}
	for _, s := range e.Signatures {
		if key := a.signer(s); key != nil {
			return Finding{Outcome: Verified, Reason: Signed, Key: key.ID(), Text: s.by(key)}
		}
	}
	if e.Missing != nil {
		return Finding{Outcome: Unknown, Reason: Reason(registry.ReasonOf(e.Missing)), Text: e.Missing.Error()}
	}
	if n := len(e.Signatures); n > 0 {
		return Finding{Outcome: NotVerified, Reason: KeyMismatch, Text: fmt.Sprintf("none of the signatures that are there (%d) was made with %s, or they were changed", n, a.keys())}
	}
	if len(e.Refused) > 0 {
		return worst(e.Refused)
	}
	return Finding{Outcome: NotVerified, Reason: Unsigned, Text: "the image has no signature"}
}

func (s Signature) by(key *Key) string {
	text := fmt.Sprintf("signed with the key %s, %s %s", key.ID(), s.Form, s.Source)
	if s.Identity != "" {
		text += ", as " + s.Identity
	}
	return text
}

// keys names the keys of the authority for people.
func (a Authority) keys() string {
	if len(a.Keys) == 1 {
		return "the key " + a.Keys[0].ID()
	}
	return fmt.Sprintf("one of its %d keys", len(a.Keys))
}

// worst is the refusal that says most about why an image that somebody meant to sign is not signed.
func worst(refused []Refusal) Finding {
	order := []Reason{SubjectMismatch, KeyMismatch, SignatureMalformed, NotASignature}
	r := slices.MinFunc(refused, func(a, b Refusal) int {
		return cmp.Compare(slices.Index(order, a.Reason), slices.Index(order, b.Reason))
	})
	text := fmt.Sprintf("what is there is no signature of the image: %s: %s", r.Source, r.Text)
	if more := len(refused) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more that are none)", more)
	}
	return Finding{Outcome: NotVerified, Reason: r.Reason, Text: text}
}
