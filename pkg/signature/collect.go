package signature

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/registry"
)

// MaxBundles is how many bundles of one image are read, attestations included, each with two requests.
const MaxBundles = 128

const (
	predicateAnnotation = "dev.sigstore.bundle.predicateType"
	emptyMediaType      = "application/vnd.oci.empty.v1+json"
)

// Registry finds what belongs to an image. *registry.Client is one.
type Registry interface {
	Referrers(ctx context.Context, subject name.Digest, keychain authn.Keychain) ([]registry.Referrer, error)
	Artifact(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*registry.Artifact, error)
}

// Collect gathers the signatures of an image, or of an index as such: its images may have signatures of their own. It ends
// early when enough says of a signature that no other is needed; nil has it gather all. Bundles are asked for first: one
// costs two requests beside the list of referrers. What goes wrong is Evidence.Missing.
func Collect(ctx context.Context, from Registry, image name.Digest, keychain authn.Keychain, enough func(Signature) bool) *Evidence {
	return CollectAgain(ctx, from, image, keychain, nil, enough)
}

// CollectAgain is Collect for who has evidence of the same image from before: bundles that were read are not read again, but
// only looked for, so that an image that is signed with one costs a request. When it ends early, signatures under the tag
// are taken to be as they were.
func CollectAgain(ctx context.Context, from Registry, image name.Digest, keychain authn.Keychain, before *Evidence, enough func(Signature) bool) *Evidence {
	c := &collection{
		from: from, image: image, keychain: keychain, before: before,
		enough:   func(s Signature) bool { return enough != nil && enough(s) },
		evidence: &Evidence{Digest: image.DigestStr()},
	}
	if c.bundles(ctx) {
		c.evidence.carry(before)
	} else {
		c.simpleSigning(ctx)
	}
	return c.evidence
}

type collection struct {
	from     Registry
	image    name.Digest
	keychain authn.Keychain
	before   *Evidence
	enough   func(Signature) bool
	evidence *Evidence
}

// bundles reads the bundles among the referrers, and says whether that was enough.
func (c *collection) bundles(ctx context.Context) (done bool) {
	referrers, err := c.from.Referrers(ctx, c.image, c.keychain)
	if err != nil {
		c.evidence.miss(err)
		return false
	}
	candidates := slices.DeleteFunc(slices.Clone(referrers), func(r registry.Referrer) bool { return !mayBeBundle(r) })
	slices.SortStableFunc(candidates, func(a, b registry.Referrer) int { return rank(a) - rank(b) })
	unread, done := c.recalled(candidates[:min(len(candidates), MaxBundles)])
	for ; len(unread) > 0 && !done; unread = unread[1:] {
		done = c.bundle(ctx, unread[0])
	}
	c.evidence.Partial = len(unread) > 0
	if !done && len(candidates) > MaxBundles {
		c.evidence.miss(c.tooMany(len(candidates)))
	}
	return done
}

// recalled takes over what is known of the candidates, says whether that was enough, and gives the rest.
func (c *collection) recalled(candidates []registry.Referrer) (unread []registry.Referrer, done bool) {
	for _, candidate := range candidates {
		found, known := c.evidence.recall(c.before, c.image.Context().Digest(candidate.Digest).Name())
		if !known {
			unread = append(unread, candidate)
		}
		for _, s := range found {
			done = c.enough(s) || done
		}
	}
	return unread, done
}

// mayBeBundle leaves out what says of itself that it is something else. Some registries tell the media type of a referrer's
// configuration instead, which for a bundle is the empty one.
func mayBeBundle(r registry.Referrer) bool {
	return r.ArtifactType == "" || r.ArtifactType == emptyMediaType || strings.HasPrefix(r.ArtifactType, bundleMediaTypes)
}

// rank puts first what says of itself that it is a signature, and last what says that it is an attestation. It may lie: that
// costs requests.
func rank(r registry.Referrer) int {
	switch r.Annotations[predicateAnnotation] {
	case signPredicate:
		return 0
	case "":
		return 1
	default:
		return 2
	}
}

func (c *collection) tooMany(count int) error {
	return &registry.Error{
		Reason: registry.TooLarge, Host: c.image.RegistryStr(), Subject: "the list of bundles of " + c.image.Name(),
		Err: fmt.Errorf("%d bundles, and %d is the most", count, MaxBundles),
	}
}

// bundle reads one referrer. What is broken for good is no signature; what was not answered may be one.
func (c *collection) bundle(ctx context.Context, r registry.Referrer) (done bool) {
	source := c.image.Context().Digest(r.Digest)
	artifact, err := c.from.Artifact(ctx, source, c.keychain)
	if err != nil {
		if registry.ReasonOf(err).Definite() {
			c.evidence.add(source.Name(), Signature{}, &Refusal{Reason: SignatureMalformed, Text: fmt.Sprintf("it cannot be had: %v", err), Unread: true})
		} else {
			c.evidence.miss(err)
		}
		return false
	}
	if len(artifact.Layers) != 1 || !strings.HasPrefix(artifact.Layers[0].MediaType, bundleMediaTypes) {
		c.evidence.others = append(c.evidence.others, source.Name())
		return false // it is no bundle, after all
	}
	s, err := readBundle(artifact.Layers[0], c.image.DigestStr())
	c.evidence.add(source.Name(), s, err)
	return err == nil && c.enough(s)
}

// simpleSigning reads the signature tag. It is a list, so that what cannot be read of it may be a signature, even if it is
// broken for good.
func (c *collection) simpleSigning(ctx context.Context) {
	tag, err := name.NewTag(c.image.Context().Name() + ":" + strings.Replace(c.image.DigestStr(), ":", "-", 1) + ".sig")
	if err != nil {
		return // the digest is too long for a tag, so that there is none
	}
	artifact, err := c.from.Artifact(ctx, tag, c.keychain)
	switch registry.ReasonOf(err) {
	case "":
	case registry.NotFound:
		return
	case registry.Malformed:
		c.evidence.add(tag.Name(), Signature{}, refuse(SignatureMalformed, "it cannot be read: %v", err))
		return
	default:
		c.evidence.miss(err)
		return
	}
	for _, layer := range artifact.Layers { // all of them: they are there, and others are judged by what is kept
		s, err := readSimpleSigning(layer, c.image.DigestStr())
		c.evidence.add(tag.Name(), s, err)
	}
}
