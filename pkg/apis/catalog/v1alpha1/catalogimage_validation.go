package v1alpha1

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"knative.dev/pkg/apis"
)

// Validate implements apis.Validatable: it finds what the schema cannot, which the API server asks first. The error
// names the field and says what to write instead.
func (i *CatalogImage) Validate(ctx context.Context) *apis.FieldError {
	if apis.IsInStatusUpdate(ctx) || apis.IsInDelete(ctx) {
		return nil
	}
	return i.Spec.Validate(ctx).ViaField("spec")
}

// Validate implements apis.Validatable.
func (s *CatalogImageSpec) Validate(context.Context) *apis.FieldError {
	ref, err := parseReference(s.Image)
	if errors.Is(err, errCredentials) {
		return apis.ErrInvalidValue("...@...", "image", err.Error()) // what is said here is logged
	}
	if err != nil {
		return apis.ErrInvalidValue(s.Image, "image", fmt.Sprintf("write a reference such as quay.io/acme/autosd:rpi4-1.2 (%v)", err))
	}
	if s.Digest == "" {
		return nil
	}
	if err := checkDigest(s.Digest); err != nil {
		return apis.ErrInvalidValue(s.Digest, "digest", err.Error())
	}
	if inImage, ok := ref.(name.Digest); ok && inImage.DigestStr() != s.Digest {
		return apis.ErrInvalidValue(s.Digest, "digest", "image names another digest, "+inImage.DigestStr()+"; keep one of the two")
	}
	return nil
}
