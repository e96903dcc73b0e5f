package admission

import (
	"context"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/pkg/webhook"
)

// admitting is what knative's constructors return, and what it looks for when it starts the webhook.
type admitting interface {
	controller.Reconciler
	pkgreconciler.LeaderAware
	webhook.AdmissionController
	webhook.StatelessAdmissionController
}

// guarded stands before a controller of knative's. It refuses what the controller would panic on, and closes
// connections once the webhook is to end: the API server keeps its own for as long as it has requests, whatever
// Endpoints say, so that a busy replica would never fall quiet, and be killed in mid-request.
type guarded struct {
	admitting
	stopping <-chan struct{}
}

// guard puts a guard before a controller of the webhook.
func guard(ctx context.Context, impl *controller.Impl) *controller.Impl {
	if inner, ok := impl.Reconciler.(admitting); ok {
		impl.Reconciler = guarded{admitting: inner, stopping: ctx.Done()}
	}
	return impl
}

// Admit implements webhook.AdmissionController.
func (g guarded) Admit(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	select {
	case <-g.stopping:
		if server, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok {
			server.SetKeepAlivesEnabled(false)
		}
	default:
	}
	if request.Operation != admissionv1.Delete && len(request.Object.Raw) == 0 {
		return webhook.MakeErrorStatus("the admission request has no object")
	}
	return g.admitting.Admit(ctx, request)
}
