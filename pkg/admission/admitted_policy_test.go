package admission

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// policyDocument is a policy as a client writes it.
func policyDocument(metadata, spec string) string {
	return fmt.Sprintf(`{"apiVersion": "imagecatalog.dev/v1alpha1", "kind": "CatalogPolicy", "metadata": {"name": "trusted"%s}, "spec": {%s}}`, metadata, spec)
}

const (
	goodSpec = `"images": [{"glob": "quay.io/acme/**"}], "requiredMetadata": ["distro"]`
	badSpec  = `"images": [{"glob": "quay.io"}], "requiredMetadata": ["distro"]`
)

// reviewPolicy has a controller of the webhook judge a policy.
func reviewPolicy(t *testing.T, construct constructor, operation admissionv1.Operation, before, after string) *admissionv1.AdmissionResponse {
	t.Helper()
	ctx, controller := newController(t, construct)
	r := request(operation, before, after)
	r.Name = "trusted"
	r.Kind = metav1.GroupVersionKind{Group: "imagecatalog.dev", Version: "v1alpha1", Kind: "CatalogPolicy"}
	r.Resource = metav1.GroupVersionResource{Group: "imagecatalog.dev", Version: "v1alpha1", Resource: "catalogpolicies"}
	return controller.Admit(ctx, r)
}

func TestPoliciesThatAreAdmitted(t *testing.T) {
	for title, test := range map[string]struct {
		operation     admissionv1.Operation
		before, after string
		said          string
	}{
		"a good one":                   {admissionv1.Create, "", policyDocument("", goodSpec), ""},
		"a Secret that is to come":     {admissionv1.Create, "", policyDocument("", `"images": [{"glob": "quay.io/**"}], "authorities": [{"name": "a", "key": {"secretRef": {"name": "b"}}}]`), ""},
		"a bad glob":                   {admissionv1.Create, "", policyDocument("", badSpec), "invalid value: quay.io: spec.images[0].glob"},
		"a bad key":                    {admissionv1.Create, "", policyDocument("", `"images": [{"glob": "quay.io/**"}], "authorities": [{"name": "a", "key": {"data": "x"}}]`), "no public key: spec.authorities[0].key.data"},
		"a bad expression":             {admissionv1.Create, "", policyDocument("", `"images": [{"glob": "quay.io/**"}], "validations": [{"expression": "entry.sepc"}]`), "no expression of CEL: spec.validations[0].expression"},
		"one that became bad":          {admissionv1.Update, policyDocument("", goodSpec), policyDocument("", badSpec), "spec.images[0].glob"},
		"one that becomes good":        {admissionv1.Update, policyDocument("", badSpec), policyDocument("", goodSpec), ""},
		"a bad one that gets a label":  {admissionv1.Update, policyDocument("", badSpec), policyDocument(`, "labels": {"a": "b"}`, badSpec), ""},
		"a bad one that loses a guard": {admissionv1.Update, policyDocument(`, "finalizers": ["a/b"]`, badSpec), policyDocument("", badSpec), ""},
		"a bad one that goes":          {admissionv1.Delete, policyDocument("", badSpec), "", ""},
		"one that cannot be decoded":   {admissionv1.Create, "", policyDocument("", `"images": 7`), "decoding request failed"},
	} {
		t.Run(title, func(t *testing.T) {
			response := reviewPolicy(t, NewValidation, test.operation, test.before, test.after)
			assert.Equal(t, test.said == "", response.Allowed, response.Result)
			assert.Empty(t, response.Patch)
			if test.said != "" {
				assert.Contains(t, response.Result.Message, test.said)
			}
		})
	}
}

// The mutating webhook has no rule for policies, and would say so if it were asked.
func TestNothingOfAPolicyIsDefaulted(t *testing.T) {
	response := reviewPolicy(t, NewDefaulting, admissionv1.Create, "", policyDocument("", goodSpec))
	assert.False(t, response.Allowed)
	assert.Contains(t, response.Result.Message, "unhandled kind")
	p := &admittedPolicy{}
	p.SetDefaults(t.Context())
	assert.Equal(t, &admittedPolicy{}, p)
}

func TestTheWebhookIsAskedOnlyAboutWritingPolicies(t *testing.T) {
	assert.Equal(t, []admissionregistrationv1.OperationType{"CREATE", "UPDATE"}, (&admittedPolicy{}).SupportedVerbs())
	assert.Equal(t, []string{""}, (&admittedPolicy{}).SupportedSubResources(), "the main resource, not the status")
}

func TestACopyOfAPolicyIsDeepAndOfTheSameKind(t *testing.T) {
	original := &admittedPolicy{}
	original.Labels = map[string]string{"a": "b"}
	duplicate, ok := original.DeepCopyObject().(*admittedPolicy)
	require.True(t, ok, "knative decodes requests into copies: they must be of the admitted kind")
	duplicate.Labels["a"] = "c"
	assert.Equal(t, "b", original.Labels["a"])
}
