package signature

import (
	"errors"
	"fmt"
	"slices"
)

// Evidence is what a registry holds as signatures of one image. It does not say by whom they are: that is for Judge.
type Evidence struct {
	// Digest of the image.
	Digest string
	// Signatures that say that they are of the image.
	Signatures []Signature
	// Refused is what lies where signatures do, and is no signature of the image, whoever made it.
	Refused []Refusal
	// Missing is why there may be signatures that are not among these; nil if there are none. It is a *registry.Error.
	Missing error

	// Partial says that bundles were left unread, since others were enough: for another authority they may be the ones.
	Partial bool

	// others are bundles of something else: they need not be read again.
	others []string
}

// Bytes is what the evidence takes in memory, about.
func (e *Evidence) Bytes() int {
	const overhead = 256 // of one signature or refusal
	bytes := overhead
	for _, s := range e.Signatures {
		bytes += overhead + len(s.Source) + len(s.Identity) + len(s.Message) + len(s.Signed)
	}
	for _, r := range e.Refused {
		bytes += overhead + len(r.Source) + len(r.Text)
	}
	for _, source := range e.others {
		bytes += len(source)
	}
	return bytes
}

// Form is how a signature is written down.
type Form string

// The forms of signatures.
const (
	SimpleSigning Form = "simple signing"
	Bundle        Form = "bundle"
)

// Signature is a signature that was read, and not yet verified.
type Signature struct {
	// Form, and the manifest in which it was found.
	Form   Form
	Source string
	// Identity is the name that the signer had for the image, where the form has one.
	Identity string
	// Message is what was signed, and Signed the signature.
	Message, Signed []byte
}

// Refusal is why something is no signature of an image.
type Refusal struct {
	// Source is the manifest in which it was found.
	Source string
	// Unread says that it could not be had; it may be another time.
	Unread bool
	Reason Reason
	// Text says about it what is wrong.
	Text string
}

func (r *Refusal) Error() string { return r.Text }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{Reason: reason, Text: fmt.Sprintf(format, args...)}
}

// add takes what became of something that was found.
func (e *Evidence) add(source string, s Signature, err error) {
	var refused *Refusal
	if errors.As(err, &refused) {
		refused.Source = source
		e.Refused = append(e.Refused, *refused)
		return
	}
	s.Source = source
	e.Signatures = append(e.Signatures, s)
}

// recall takes over what was read of a bundle before. Its digest names it, so that it is what it was.
func (e *Evidence) recall(before *Evidence, source string) (found []Signature, known bool) {
	if before == nil {
		return nil, false
	}
	for _, s := range before.Signatures {
		if s.Source == source {
			found = append(found, s)
		}
	}
	e.Signatures = append(e.Signatures, found...)
	known = len(found) > 0
	for _, r := range before.Refused {
		if r.Source == source && !r.Unread {
			e.Refused, known = append(e.Refused, r), true
		}
	}
	if slices.Contains(before.others, source) {
		e.others, known = append(e.others, source), true
	}
	return found, known
}

// carry takes over what was read of the signature tag before, by who did not look there again.
func (e *Evidence) carry(before *Evidence) {
	if before == nil {
		return
	}
	for _, s := range before.Signatures {
		if s.Form == SimpleSigning {
			e.Signatures = append(e.Signatures, s)
		}
	}
}

// miss notes the first thing that could not be read.
func (e *Evidence) miss(err error) {
	if e.Missing == nil {
		e.Missing = err
	}
}
