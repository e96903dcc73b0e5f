package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

// Policies reads the CatalogPolicies of the cluster, which have no namespace.
type Policies interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.CatalogPolicy, error)
}

// readPolicy reads the policy that the param names, with all that is needed to judge by it. One that cannot be read, or not
// in whole, demands something that nobody can check.
func (r *run) readPolicy(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	policies, err := r.Policies()
	if err != nil {
		return policyProblem(name, err)
	}
	stored, err := policies.Get(ctx, "", name)
	if err != nil {
		return policyProblem(name, err)
	}
	read, err := policy.Read(stored)
	switch {
	case errors.Is(err, policy.ErrKeysNotRead):
		return &finding{Undecided, ReasonKeyUnavailable, fmt.Sprintf("%s: %v: run again, and check that the controller of the catalog runs", name, err)}
	case err != nil:
		return &finding{Undecided, policy.ReasonPolicyInvalid, fmt.Sprintf("the policy %s cannot be read (%s): correct it", name, strings.Join(strings.Fields(err.Error()), " "))}
	}
	r.wanted.policy, r.wanted.selects = read, globs(stored.Spec.Images)
	return nil
}

// globs names what a policy is for: some of many.
func globs(images []v1alpha1.ImagePattern) string {
	const most = 5
	var names []string
	for _, image := range images[:min(len(images), most)] {
		names = append(names, image.Glob)
	}
	if more := len(images) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

func policyProblem(name string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return &finding{NotVerified, ReasonPolicyNotFound, fmt.Sprintf("there is no CatalogPolicy %s: correct POLICY, or have the policy made", name)}
	case apierrors.IsForbidden(err):
		return &finding{Undecided, ReasonCatalogForbidden, fmt.Sprintf("the service account of this run may not read the CatalogPolicy %s, which has no namespace: grant it the role imagecatalog-view by a ClusterRoleBinding", name)}
	default:
		return &finding{Undecided, ReasonCatalogUnavailable, fmt.Sprintf("the catalog gave no answer about the CatalogPolicy %s (%v): check that the API server can be reached", name, err)}
	}
}

// applies says no to an image that the policy is not for, whatever its mode: a gate that checks nothing is none.
func (r *run) applies(s subject) error {
	if r.wanted.policy == nil || r.wanted.policy.SelectsImage(s.ref.Context()) {
		return nil
	}
	return r.report("policy", &finding{NotVerified, ReasonPolicyDoesNotApply, fmt.Sprintf(
		"the policy %s is not for %s, but for %s: name the policy of this image, or add its repository to spec.images", r.wanted.policy.Name, s.ref.Context(), r.wanted.selects)}, "")
}

// judge holds the image against the policy, and reports every check of it. The error is that of the first check that is
// violated, else of the first of which nothing is known.
func (r *run) judge(ctx context.Context, s subject, d *registry.Description) error {
	if r.wanted.policy == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpLimit)
	defer cancel()
	verdict := r.wanted.policy.Judge(factsOf(s, d), func(digest string) *signature.Evidence { return r.evidence(ctx, s.pinned(digest)) })
	if verdict.Signed.Outcome == v1alpha1.PolicySatisfied {
		r.signed++
	}
	var no, unknown error
	for _, check := range verdict.Checks {
		err := r.reportCheck(check, s, d)
		switch verdictOn(err).Outcome {
		case Verified:
		case NotVerified:
			no = cmp.Or(no, err)
		default:
			unknown = cmp.Or(unknown, err)
		}
	}
	return cmp.Or(no, unknown)
}

// reportCheck gives the error of a check that does not hold, or warns of it if the policy does no more.
func (r *run) reportCheck(check policy.Check, s subject, d *registry.Description) error {
	text := fmt.Sprintf("%s: %s: %s", r.wanted.policy.Name, check.Name, check.Text)
	outcome := Undecided
	switch check.Outcome {
	case v1alpha1.PolicySatisfied:
		return r.report("policy", nil, "%s", text)
	case v1alpha1.PolicyViolated:
		outcome = NotVerified
		text += r.adviseOn(check, s, d)
	}
	if !r.wanted.policy.Enforced() {
		r.warn("policy", "%s", text)
		return nil
	}
	return r.report("policy", &finding{outcome, check.Reason, text}, "")
}

// adviseOn says what to do about a check that is violated, where the check does not say so itself.
func (r *run) adviseOn(check policy.Check, s subject, d *registry.Description) string {
	switch {
	case check.Reason == policy.ReasonMetadataMissing && s.entry == nil, check.Reason == policy.ReasonValidationFailed && s.entry == nil:
		return "; what only an entry of the catalog says is missing here: give its NAME instead of IMAGE_URL"
	case check.Reason == policy.ReasonPlatformMissing:
		return "; build it for that, too"
	case check.Reason == policy.ReasonTooManyPlatforms, check.Reason == policy.ReasonMetadataMissing, check.Reason == policy.ReasonValidationFailed:
		return ""
	}
	advice := "; sign it with the key of an authority of the policy: cosign sign --key cosign.key "
	if r.wanted.policy.SignedPlatforms {
		advice += "--recursive "
	}
	return advice + s.pinned(d.Digest).Name()
}
