package admission

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/webhook/resourcesemantics"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// admittedPolicy is a CatalogPolicy as the validating webhook sees it. The mutating one is not asked about policies, since
// nothing of them is defaulted.
type admittedPolicy struct {
	v1alpha1.CatalogPolicy
}

var (
	_ resourcesemantics.GenericCRD         = (*admittedPolicy)(nil)
	_ resourcesemantics.VerbLimited        = (*admittedPolicy)(nil)
	_ resourcesemantics.SubResourceLimited = (*admittedPolicy)(nil)
)

// SupportedVerbs leaves deleting alone: a policy that is in the way can go with the webhook gone.
func (*admittedPolicy) SupportedVerbs() []admissionregistrationv1.OperationType {
	return []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
}

// SupportedSubResources leaves the status to the controller.
func (*admittedPolicy) SupportedSubResources() []string { return []string{""} }

// DeepCopyObject implements runtime.Object.
func (p *admittedPolicy) DeepCopyObject() runtime.Object {
	return &admittedPolicy{*p.DeepCopy()}
}

// SetDefaults implements apis.Defaultable.
func (*admittedPolicy) SetDefaults(context.Context) {}

// Validate implements apis.Validatable. A spec that is as it is stored is not judged again: what another version of the
// catalog admitted can be labelled, and lose its finalizers.
func (p *admittedPolicy) Validate(ctx context.Context) *apis.FieldError {
	before, _ := apis.GetBaseline(ctx).(*admittedPolicy)
	if before != nil && equality.Semantic.DeepEqual(before.Spec, p.Spec) {
		return nil
	}
	return policy.Validate(&p.CatalogPolicy)
}
