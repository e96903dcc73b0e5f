package verify

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

// evidence is what the registry has as signatures of an image. It is collected once for all who judge by it, until each has
// enough.
func (r *run) evidence(ctx context.Context, image name.Digest) *signature.Evidence {
	known := r.collected[image.DigestStr()]
	if known == nil {
		groups := [][]signature.Authority{r.wanted.key}
		if r.wanted.policy != nil {
			groups = append(groups, r.wanted.policy.Authorities())
		}
		known = signature.Collect(ctx, r.Registry, image, r.Keychain, signature.Enough(groups...))
		r.collected[image.DigestStr()] = known
	}
	return known
}

// signatures checks the image and, if that is asked for, each of its platforms by itself. It looks at all of them before it
// gives the first that is not signed.
func (r *run) signatures(ctx context.Context, s subject, d *registry.Description) error {
	if len(r.wanted.key) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpLimit)
	defer cancel()
	digests := []string{d.Digest}
	if r.wanted.signedPlatforms {
		digests = append(digests, platformDigests(r.wanted.platforms, d)...)
	}
	var first error
	for _, digest := range digests {
		if err := r.signature(ctx, s.pinned(digest)); err != nil && first == nil {
			first = err
		}
	}
	if first == nil {
		r.signed++
	}
	return first
}

func (r *run) signature(ctx context.Context, image name.Digest) error {
	verdict := signature.Judge(r.evidence(ctx, image), r.wanted.key)
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
func platformDigests(wanted []policy.Platform, d *registry.Description) []string {
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

func isWanted(wanted []policy.Platform, p policy.Platform) bool {
	for _, w := range wanted {
		if w.Accepts(p) {
			return true
		}
	}
	return len(wanted) == 0
}
