package signatures

import (
	"crypto/elliptic"
	"slices"

	"imagecatalog.dev/catalog/pkg/signature"
)

var p256 = elliptic.P256()

// Case is an image with what lies beside it, and what is to be said of it.
type Case struct {
	Name string
	lay  func(s *Stage)
	// Outcome and Reason that the image gets.
	Outcome signature.Outcome
	Reason  signature.Reason
	// Cosign is why cosign says the opposite, where it does: that it lets an image through that we do not, or the other way.
	Cosign string
}

// Corpus is all cases.
func Corpus() []Case {
	return slices.Concat(bundleCases(), simpleSigningCases(), imageCases(), registryCases())
}

// The outcomes in short.
const (
	verified = signature.Verified
	not      = signature.NotVerified
	unknown  = signature.Unknown
)
