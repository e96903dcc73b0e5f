package signatures

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

// NewKey makes a signer with a key of its own, of ECDSA P-256.
func NewKey(t testing.TB) Signer {
	t.Helper()
	return NewSigner(t, newECDSA(t, p256))
}

// Attach signs an image of any registry in the form of a bundle, which it finds among the image's referrers.
func (s Signer) Attach(t testing.TB, image name.Digest) (bundle name.Digest) {
	t.Helper()
	stage := &Stage{t: t, repository: image.Context(), Image: image}
	return image.Context().Digest(digestOf(stage.attach(stage.bundled(stage.ownStatement(), s))))
}

// Tag signs an image of any registry in the form of simple signing, under the tag for that, which it gives.
func (s Signer) Tag(t testing.TB, image name.Digest) name.Tag {
	t.Helper()
	stage := &Stage{t: t, repository: image.Context(), Image: image}
	stage.sign(stage.signed(stage.own(), s))
	return image.Context().Tag(stage.signatureTag())
}
