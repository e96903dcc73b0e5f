package verify

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

// signatures checks the image and, if that is asked for, each of its platforms by itself. It looks at all of them before it
// gives the first that is not signed.
func (r *run) signatures(ctx context.Context, options Options, keys []*signature.Key, wanted []platform, s subject, d *registry.Description) error {
	if len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpLimit)
	defer cancel()
	digests := []string{d.Digest}
	if options.SignedPlatforms {
		digests = append(digests, platformDigests(wanted, d)...)
	}
	var first error
	for _, digest := range digests {
		if err := r.signature(ctx, keys, s.pinned(digest)); err != nil && first == nil {
			first = err
		}
	}
	r.signed = first == nil
	return first
}

func (r *run) signature(ctx context.Context, keys []*signature.Key, image name.Digest) error {
	verdict := signature.Verify(ctx, r.Registry, image, r.Keychain, []signature.Authority{{Name: "PUBLIC_KEY", Keys: keys}})
	found := verdict.Findings[0]
	var err error
	switch verdict.Outcome {
	case signature.NotVerified:
		err = &finding{NotVerified, string(found.Reason), fmt.Sprintf("%s is not signed: %s; %s", image, found.Text, advise(found.Reason, image.Name()))}
	case signature.Unknown:
		err = &finding{Undecided, string(found.Reason), fmt.Sprintf("no signature of %s was found, and not all could be read: %s", image, found.Text)}
	}
	return r.report("signature", err, "%s is %s", image.DigestStr(), found.Text)
}

// platformDigests are the images in an index for the platforms that are wanted, or for all if none is named.
func platformDigests(wanted []platform, d *registry.Description) []string {
	var digests []string
	seen := map[string]bool{d.Digest: true}
	for _, p := range d.Platforms {
		if !seen[p.Digest] && isWanted(wanted, platformOf(p)) {
			seen[p.Digest] = true
			digests = append(digests, p.Digest)
		}
	}
	return digests
}

func isWanted(wanted []platform, p platform) bool {
	for _, w := range wanted {
		if w.accepts(p) {
			return true
		}
	}
	return len(wanted) == 0
}
