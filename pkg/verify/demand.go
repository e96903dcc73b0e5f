package verify

import (
	"context"
	"errors"

	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/signature"
)

// demand is what an image is held against. It is read before anybody asks about the image: who demands something wants no
// answer without it.
type demand struct {
	platforms []policy.Platform
	// key has the keys of PUBLIC_KEY; none if it is empty.
	key []signature.Authority
	// signedPlatforms says that each platform needs a signature with the key.
	signedPlatforms bool
	// policy is nil if none is named, and selects then nothing.
	policy  *policy.Policy
	selects string
	content bool
}

// signatures are how many demands for signatures there are.
func (d *demand) signatures() int {
	count := len(d.key)
	if d.policy != nil && d.policy.WantsSignatures() {
		count++
	}
	return count
}

// facts says whether it takes the configurations of the image.
func (d *demand) facts() bool {
	return len(d.platforms) > 0 || d.signedPlatforms || d.content || (d.policy != nil && d.policy.WantsFacts())
}

func (r *run) readDemand(ctx context.Context, options Options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpLimit)
	defer cancel()
	r.wanted.signedPlatforms, r.wanted.content = options.SignedPlatforms, options.Content
	if r.wanted.platforms, err = parsePlatforms(options.Platforms); err != nil {
		return err
	}
	keys, err := r.publicKeys(ctx, options.PublicKey)
	if err != nil {
		return r.unread("signature", err)
	}
	if len(keys) > 0 {
		r.wanted.key = []signature.Authority{{Name: "PUBLIC_KEY", Keys: keys}}
	}
	return r.unread("policy", r.readPolicy(ctx, options.Policy))
}

// unread reports what could not be read, unless it is a param that is wrong: then nothing is checked.
func (r *run) unread(check string, err error) error {
	var found *finding
	if errors.As(err, &found) {
		return r.report(check, err, "")
	}
	return err
}
