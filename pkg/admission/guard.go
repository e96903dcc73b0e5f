package admission

import (
	"context"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
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

// Admit implements webhook.AdmissionController. A refusal is an audit line: nothing else is left of what was refused.
func (g guarded) Admit(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	response := g.admit(ctx, request)
	if !response.Allowed {
		logging.FromContext(ctx).Warnw("audit", "action", "Refused", "user", request.UserInfo.Username, "operation", request.Operation,
			"kind", request.Kind.Kind, "entry", request.Namespace+"/"+request.Name, "dryRun", request.DryRun != nil && *request.DryRun, "outcome", words(response))
	}
	return response
}

func (g guarded) admit(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	if request.Operation != admissionv1.Delete && len(request.Object.Raw) == 0 {
		return webhook.MakeErrorStatus("the admission request has no object")
	}
	return g.admitting.Admit(ctx, request)
}

// mostWords is how much of a refusal is logged, in bytes: it quotes what was refused.
const mostWords = 1000

func words(response *admissionv1.AdmissionResponse) string {
	if response.Result == nil {
		return ""
	}
	return strings.ToValidUTF8(response.Result.Message[:min(len(response.Result.Message), mostWords)], "?")
}
