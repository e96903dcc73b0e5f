package signature

import (
	"errors"
	"fmt"
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
		e.Refused = append(e.Refused, Refusal{Source: source, Reason: refused.Reason, Text: refused.Text})
		return
	}
	s.Source = source
	e.Signatures = append(e.Signatures, s)
}

// miss notes the first thing that could not be read.
func (e *Evidence) miss(err error) {
	if e.Missing == nil {
		e.Missing = err
	}
}
