package plane

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// partOf selects what config/ installs.
const partOf = "app.kubernetes.io/part-of=image-catalog"

// WithoutWebhook deletes the catalog's webhook configurations while something is done, and puts them back with the
// rules that the webhook had written. The webhook goes on running.
func (p *Plane) WithoutWebhook(ctx context.Context, do func() error) error {
	admission := p.Kube.AdmissionregistrationV1()
	mutating, err := admission.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{LabelSelector: partOf})
	if err != nil {
		return fmt.Errorf("reading webhook configurations: %w", err)
	}
	validating, err := admission.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{LabelSelector: partOf})
	if err != nil {
		return fmt.Errorf("reading webhook configurations: %w", err)
	}
	for _, c := range mutating.Items {
		if err := admission.MutatingWebhookConfigurations().Delete(ctx, c.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	for _, c := range validating.Items {
		if err := admission.ValidatingWebhookConfigurations().Delete(ctx, c.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	if err := p.awaitAdmitting(ctx); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return p.putBack(ctx, mutating.Items, validating.Items)
}

func (p *Plane) putBack(ctx context.Context, mutating []admissionregistrationv1.MutatingWebhookConfiguration, validating []admissionregistrationv1.ValidatingWebhookConfiguration) error {
	admission := p.Kube.AdmissionregistrationV1()
	for n := range mutating {
		mutating[n].ObjectMeta = anew(mutating[n].ObjectMeta)
		if _, err := admission.MutatingWebhookConfigurations().Create(ctx, &mutating[n], metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for n := range validating {
		validating[n].ObjectMeta = anew(validating[n].ObjectMeta)
		if _, err := admission.ValidatingWebhookConfigurations().Create(ctx, &validating[n], metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return p.AwaitRefusing(ctx)
}

// anew is what a new object takes over of a deleted one.
func anew(old metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: old.Name, Labels: old.Labels, Annotations: old.Annotations, OwnerReferences: old.OwnerReferences}
}
