package v1alpha1

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// Validate implements apis.Validatable: it finds what the schema cannot, which the API server asks first. The error
// names the field and says what to write instead.
func (i *CatalogImage) Validate(ctx context.Context) *apis.FieldError {
	if apis.IsInStatusUpdate(ctx) || apis.IsInDelete(ctx) {
		return nil
	}
	errs := i.Spec.Validate(ctx).ViaField("spec")
	if before, ok := apis.GetBaseline(ctx).(*CatalogImage); ok && before != nil {
		errs = errs.Also(apis.ValidateCreatorAndModifier(before.Spec, i.Spec,
			before.GetAnnotations(), i.GetAnnotations(), catalog.GroupName).ViaField("metadata.annotations"))
	}
	return errs
}

// Validate implements apis.Validatable.
func (s *CatalogImageSpec) Validate(context.Context) *apis.FieldError {
	ref, err := name.ParseReference(s.Image)
	if err != nil {
		return apis.ErrInvalidValue(s.Image, "image", fmt.Sprintf("write a reference such as quay.io/acme/autosd:rpi4-1.2 (%v)", err))
	}
	if inImage, ok := ref.(name.Digest); ok && s.Digest != "" && inImage.DigestStr() != s.Digest {
		return apis.ErrInvalidValue(s.Digest, "digest", "image names another digest, "+inImage.DigestStr()+"; keep one of the two")
	}
	return nil
}
