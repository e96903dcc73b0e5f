package publish

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/param"
)

// digestCharacters of the digest's hexadecimal part end every name: 32 bits tell the builds of one tag apart.
const digestCharacters = 8

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// image is what the params say about which image to publish.
type image struct {
	// written is the reference as it was given; the entry shows it.
	written string
	// reference to look up: by the digest where one was given, whatever the tag names by now.
	reference name.Reference
}

// parseImage takes the two params that build tasks emit as results, which often end in a newline.
func parseImage(url, digest string) (image, error) {
	url, digest = strings.TrimSpace(url), strings.TrimSpace(digest)
	reference, err := name.ParseReference(url)
	if err != nil {
		return image{}, &param.Error{Param: "IMAGE_URL", Problem: err.Error(), Advice: "write a reference such as quay.io/acme/autosd:rpi4-1.2"}
	}
	parsed := image{written: url, reference: reference}
	if digest == "" {
		return parsed, nil
	}
	if !digestPattern.MatchString(digest) {
		return image{}, &param.Error{
			Param: "IMAGE_DIGEST", Problem: fmt.Sprintf("%q is no digest", digest),
			Advice: "write sha256: and 64 lower-case hexadecimal digits",
		}
	}
	if inURL, ok := reference.(name.Digest); ok && inURL.DigestStr() != digest {
		return image{}, &param.Error{
			Param: "IMAGE_DIGEST", Problem: "IMAGE_URL names another digest, " + inURL.DigestStr(),
			Advice: "keep one of the two",
		}
	}
	parsed.reference = reference.Context().Digest(digest)
	return parsed, nil
}

// writtenTag gives the tag of a valid reference, with or without a digest behind it, but not the tag that a
// reference without one implies.
func writtenTag(reference string) string {
	beforeDigest, _, _ := strings.Cut(reference, "@")
	tag, err := name.NewTag(beforeDigest, name.WithDefaultTag(""))
	if err != nil {
		return ""
	}
	return tag.TagStr()
}

// entryName is the name of the entry when none is given: the last segment of the repository, the tag if one was
// written, and the first eight hexadecimal digits of the digest, joined by "-". It is a DNS label (RFC 1123): letters
// become lower case, every run of other characters one "-", and what exceeds 63 characters is cut off before the digest.
//
//	quay.io/acme/autosd:RPi4_1.2 with sha256:2c26b46b...  ->  autosd-rpi4-1-2-2c26b46b
func entryName(pinned name.Digest, tag string) string {
	suffix := "-" + strings.TrimPrefix(pinned.DigestStr(), "sha256:")[:digestCharacters]
	base := dashed(path.Base(pinned.Context().RepositoryStr()) + "-" + tag)
	if room := validation.DNS1123LabelMaxLength - len(suffix); len(base) > room {
		base = strings.TrimRight(base[:room], "-")
	}
	return base + suffix
}

// dashed keeps lower-case letters and digits, and puts one "-" for each run of anything else between them.
func dashed(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}
