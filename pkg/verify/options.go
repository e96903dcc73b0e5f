package verify

import (
	"flag"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/param"
)

// Options are the params of the Task.
type Options struct {
	ImageURL    string
	ImageDigest string

	Name      string
	Namespace string // of the entry Name

	Registries string // directory with the settings for registries; empty for none

	PublicKey       string // PEM, a file of the workspace, or k8s://namespace/secret
	SignedPlatforms bool

	Policy string // name of a CatalogPolicy

	Platforms param.List
	Content   bool
	Strict    bool
}

// AddFlags gives each param its flag.
func (o *Options) AddFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.ImageURL, "image-url", "", "reference of the image, such as quay.io/acme/autosd:rpi4-1.2")
	fs.StringVar(&o.ImageDigest, "image-digest", "", "digest that the image must have; default that in the image URL, if any")
	fs.StringVar(&o.Name, "name", "", "entry of the catalog that names the image, instead of an image URL")
	fs.StringVar(&o.Namespace, "namespace", "", "namespace of the entry")
	fs.StringVar(&o.Registries, "registries", "", "directory with the settings for registries, as config-registries is mounted; default HTTPS only, private addresses too")
	fs.StringVar(&o.PublicKey, "public-key", "", "public key of a signature that the image must have: PEM, a file in the folder $PUBLIC_KEY_DIR, or k8s://namespace/secret; default none")
	fs.BoolVar(&o.SignedPlatforms, "signed-platforms", false, "each platform must have a signature of its own, too: true or false")
	fs.StringVar(&o.Policy, "policy", "", "CatalogPolicy that the image must satisfy; default none")
	fs.BoolVar(&o.Content, "content", false, "fetch and hash every blob: true or false")
	fs.BoolVar(&o.Strict, "strict", true, "exit with 1 when the image is not verified: true or false")
	fs.Var(&o.Platforms, "platforms", "platforms that the image must have, such as linux/arm64 or linux/arm/v7")
}

// tidy removes the newlines in which the results of other Tasks often end.
func (o Options) tidy() Options {
	for _, value := range []*string{&o.ImageURL, &o.ImageDigest, &o.Name, &o.Namespace, &o.PublicKey, &o.Policy} {
		*value = strings.TrimSpace(*value)
	}
	return o
}

// check finds params that contradict each other. Those of the image itself are left to parseSubject.
func (o Options) check() error {
	switch {
	case o.ImageURL == "" && o.Name == "":
		return &param.Error{Param: "IMAGE_URL", Problem: "it is empty, and so is NAME", Advice: "write the reference of an image, or the NAME of an entry"}
	case o.ImageURL != "" && o.Name != "":
		return &param.Error{Param: "NAME", Problem: "IMAGE_URL is given too", Advice: "keep one of the two"}
	case o.Name != "" && o.ImageDigest != "":
		return &param.Error{Param: "IMAGE_DIGEST", Problem: "the entry NAME has its own", Advice: "leave it empty, or write IMAGE_URL instead of NAME"}
	case o.SignedPlatforms && o.PublicKey == "":
		return &param.Error{Param: "SIGNED_PLATFORMS", Problem: "it is true, and PUBLIC_KEY is empty", Advice: "write whose signature the platforms must have"}
	case o.Name != "" && o.Namespace == "":
		return &param.Error{Param: "NAMESPACE", Problem: "it is empty", Advice: "name the namespace of the entry NAME"}
	}
	return nil
}

// subject is what is judged.
type subject struct {
	// written is the image as somebody wrote it.
	written string
	// entry names the image; nil if a param does.
	entry *v1alpha1.CatalogImage
	// ref is what to ask the registry for: by tag where one was written, so that a moved tag shows.
	ref name.Reference
	// pin is the digest that it must have; empty if nothing says.
	pin string
}

func (s subject) pinned(digest string) name.Digest { return s.ref.Context().Digest(digest) }

// parseSubject takes a reference with a tag, a digest or both, and a digest beside it, which may be empty. The errors
// name the params that the two come from.
func parseSubject(image, digest string) (subject, error) {
	written, inImage, hasDigest := strings.Cut(image, "@")
	ref, err := name.ParseReference(image)
	if err != nil {
		return subject{}, &param.Error{Param: "IMAGE_URL", Problem: err.Error(), Advice: "write a reference such as quay.io/acme/autosd:rpi4-1.2"}
	}
	if digest != "" {
		if _, err := name.NewDigest(ref.Context().Name() + "@" + digest); err != nil {
			return subject{}, &param.Error{Param: "IMAGE_DIGEST", Problem: fmt.Sprintf("%q is no digest", digest), Advice: "write sha256: and 64 lower-case hexadecimal digits"}
		}
		if hasDigest && inImage != digest {
			return subject{}, &param.Error{Param: "IMAGE_DIGEST", Problem: "IMAGE_URL names another digest, " + inImage, Advice: "keep one of the two"}
		}
	}
	s := subject{written: image, ref: ref, pin: digest}
	if hasDigest {
		s.pin = inImage
	}
	tag, err := name.NewTag(written, name.WithDefaultTag(""))
	switch {
	case err == nil && tag.TagStr() != "":
		s.ref = tag
	case s.pin != "":
		s.ref = s.pinned(s.pin)
	}
	return s, nil
}
