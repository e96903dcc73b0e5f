package v1alpha1

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/api/equality"
	"knative.dev/pkg/apis"
)

// Validate implements apis.Validatable: it finds what the schema cannot, which the API server asks first. The error
// names the field and says what to write instead. A spec that is as it was stored is not judged again: what was valid
// once must not keep an entry from being labelled, nor from losing its finalizers.
func (i *CatalogImage) Validate(ctx context.Context) *apis.FieldError {
	if apis.IsInStatusUpdate(ctx) || apis.IsInDelete(ctx) || i.DeletionTimestamp != nil {
		return nil
	}
	if before, ok := apis.GetBaseline(ctx).(*CatalogImage); ok && before != nil && equality.Semantic.DeepEqual(before.Spec, i.Spec) {
		return nil
	}
	return i.Spec.Validate(ctx).Also(i.validateSuccessor()).ViaField("spec")
}

func (i *CatalogImage) validateSuccessor() *apis.FieldError {
	if i.Spec.Lifecycle == nil || i.Spec.Lifecycle.Successor == "" || i.Spec.Lifecycle.Successor != i.Name {
		return nil
	}
	return apis.ErrInvalidValue(i.Name, "lifecycle.successor", "name another entry: none is its own successor")
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
