package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/pkg/webhook"
)

// admitting is what knative's constructors return.
type admitting interface {
	controller.Reconciler
	pkgreconciler.LeaderAware
	webhook.AdmissionController
	webhook.StatelessAdmissionController
}

// guarded stands before a controller of knative's, and refuses what the controller would panic on.
type guarded struct {
	admitting
}

// guard puts a guard before a controller of the webhook.
func guard(impl *controller.Impl) *controller.Impl {
	if inner, ok := impl.Reconciler.(admitting); ok {
		impl.Reconciler = guarded{inner}
	}
	return impl
}

// Admit implements webhook.AdmissionController.
func (g guarded) Admit(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	if request.Operation != admissionv1.Delete && len(request.Object.Raw) == 0 {
		return webhook.MakeErrorStatus("the admission request has no object")
	}
	return g.admitting.Admit(ctx, request)
}
