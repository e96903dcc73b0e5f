package admission

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/apis/duck"
	"knative.dev/pkg/webhook/resourcesemantics"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// admittedImage is a CatalogImage as the webhook sees it. It tells knative what the kind itself has no reason to
// know: which requests it is for, and that an admitted object must not be rewritten.
type admittedImage struct {
	v1alpha1.CatalogImage
}

var (
	_ resourcesemantics.GenericCRD         = (*admittedImage)(nil)
	_ resourcesemantics.VerbLimited        = (*admittedImage)(nil)
	_ resourcesemantics.SubResourceLimited = (*admittedImage)(nil)
	_ duck.Populatable                     = (*admittedImage)(nil)
	_ apis.HasSpec                         = (*admittedImage)(nil)
)

// SupportedVerbs leaves deleting alone: with the webhook gone, entries, namespaces and the installation can go too.
func (*admittedImage) SupportedVerbs() []admissionregistrationv1.OperationType {
	return []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
}

// SupportedSubResources leaves the status to the controller.
func (*admittedImage) SupportedSubResources() []string { return []string{""} }

// Populate makes the kind a duck type in knative's eyes, whose objects it does not patch into the form that a round
// trip through Go gives them ("60m" would become "1h0m0s"): whoever compares the spec with its source finds it as it was.
func (*admittedImage) Populate() {}

// GetListType implements duck.Populatable.
func (*admittedImage) GetListType() runtime.Object { return &v1alpha1.CatalogImageList{} }

// DeepCopyObject implements runtime.Object.
func (i *admittedImage) DeepCopyObject() runtime.Object {
	return &admittedImage{CatalogImage: *i.DeepCopy()}
}

// SetDefaults implements apis.Defaultable.
func (i *admittedImage) SetDefaults(ctx context.Context) { i.CatalogImage.SetDefaults(plain(ctx)) }

// Validate implements apis.Validatable.
func (i *admittedImage) Validate(ctx context.Context) *apis.FieldError {
	return i.CatalogImage.Validate(plain(ctx))
}

// plain gives the kind the stored object of an update in its own type.
func plain(ctx context.Context) context.Context {
	if before, ok := apis.GetBaseline(ctx).(*admittedImage); ok && before != nil {
		return apis.WithinUpdate(ctx, &before.CatalogImage)
	}
	return ctx
}
