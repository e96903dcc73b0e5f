package v1alpha1

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/util/validation"
	"knative.dev/pkg/apis"
)

// MinCheckInterval is the shortest interval at which a registry may be asked about an entry.
const MinCheckInterval = time.Minute

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Validate implements apis.Validatable: it finds what the schema cannot, or what comes from a client that the
// schema has not seen. The error names the field and says what to write instead.
func (i *CatalogImage) Validate(ctx context.Context) *apis.FieldError {
	if apis.IsInStatusUpdate(ctx) || apis.IsInDelete(ctx) {
		return nil
	}
	errs := i.Spec.Validate(ctx).ViaField("spec")
	if before, ok := apis.GetBaseline(ctx).(*CatalogImage); ok && before != nil {
		errs = errs.Also(apis.ValidateCreatorAndModifier(before.Spec, i.Spec,
			before.GetAnnotations(), i.GetAnnotations(), Resource("catalogimages").Group).ViaField("metadata.annotations"))
	}
	return errs
}

// Validate implements apis.Validatable.
func (s *CatalogImageSpec) Validate(ctx context.Context) *apis.FieldError {
	errs := s.validateReference()
	errs = errs.Also(s.Channel.validate("channel"))
	errs = errs.Also(s.Metadata.Validate(ctx).ViaField("metadata"))
	if s.Source != nil && s.Source.Kind != SourceExternal && s.Source.Name == "" {
		errs = errs.Also(missing("source.name", "name the "+string(s.Source.Kind)+" that built the image"))
	}
	if s.CheckInterval != nil && s.CheckInterval.Duration < MinCheckInterval {
		errs = errs.Also(invalid(s.CheckInterval.Duration, "checkInterval", "must be at least 1m"))
	}
	for n, secret := range s.ImagePullSecrets {
		if secret.Name == "" {
			errs = errs.Also(missing("name", "name a secret in the entry's namespace").ViaFieldIndex("imagePullSecrets", n))
		}
	}
	return errs
}

func (s *CatalogImageSpec) validateReference() *apis.FieldError {
	if s.Image == "" {
		return missing("image", "write a reference such as quay.io/acme/autosd:rpi4-1.2")
	}
	ref, err := name.ParseReference(s.Image)
	if err != nil {
		return invalid(s.Image, "image", fmt.Sprintf("write a reference such as quay.io/acme/autosd:rpi4-1.2 (%v)", err))
	}
	if s.Digest == "" {
		return nil
	}
	if !digestPattern.MatchString(s.Digest) {
		return invalid(s.Digest, "digest", "write sha256: and 64 lower-case hexadecimal digits")
	}
	if inImage, ok := ref.(name.Digest); ok && inImage.DigestStr() != s.Digest {
		return invalid(s.Digest, "digest", "image names another digest, "+inImage.DigestStr()+"; keep one of the two")
	}
	return nil
}

// Validate implements apis.Validatable.
func (m *ImageMetadata) Validate(context.Context) *apis.FieldError {
	errs := m.Architecture.validate("architecture").
		Also(m.OS.validate("os")).
		Also(m.Variant.validate("variant")).
		Also(m.Distro.validate("distro")).
		Also(m.DistroVersion.validate("distroVersion")).
		Also(m.BuildMode.validate("buildMode")).
		Also(m.ExportFormat.validate("exportFormat"))
	seen := map[Facet]bool{}
	for n, target := range m.Targets {
		switch {
		case target.Name == "":
			errs = errs.Also(missing("name", "name the board, such as raspberry-pi").ViaFieldIndex("targets", n))
		case seen[target.Name]:
			errs = errs.Also(invalid(target.Name, "name", "the target is listed twice").ViaFieldIndex("targets", n))
		default:
			errs = errs.Also(target.Name.validate("name").ViaFieldIndex("targets", n))
		}
		seen[target.Name] = true
	}
	return errs
}

func (f Facet) validate(field string) *apis.FieldError {
	if len(validation.IsValidLabelValue(string(f))) == 0 {
		return nil
	}
	return invalid(string(f), field, "use up to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit")
}

func missing(field, advice string) *apis.FieldError {
	err := apis.ErrMissingField(field)
	err.Details = advice
	return err
}

func invalid(value any, field, advice string) *apis.FieldError {
	return apis.ErrInvalidValue(value, field, advice)
}
