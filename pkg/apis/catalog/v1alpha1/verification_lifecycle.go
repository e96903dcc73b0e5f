package v1alpha1

import (
	"fmt"
	"slices"
	"strings"
)

// MarkNoPolicy records that no policy selects the entry: nothing is violated, and nothing was verified.
func (s *CatalogImageStatus) MarkNoPolicy() {
	s.Verification = nil
	s.markNothingEnforced()
	s.MarkUnasked()
}

func (s *CatalogImageStatus) markNothingEnforced() {
	conditions.Manage(s).MarkTrueWithReason(ConditionPolicySatisfied, reasonNoPolicy, "no enforcing policy selects the entry")
}

// MarkUnasked records that no policy that selects the entry asks for a signature.
func (s *CatalogImageStatus) MarkUnasked() {
	s.MarkNotVerified(reasonNoPolicy, "no policy asks for a signature, so none was looked for")
}

// MarkUnjudged records why policies cannot be judged yet. What they said before about the same image stands.
func (s *CatalogImageStatus) MarkUnjudged(reason, message string) {
	if s.Verification == nil || s.Verification.Digest != s.Digest {
		s.MarkPolicyUnknown(reason, message)
		s.MarkVerifiedUnknown(reason, message)
	}
}

// MarkJudged records what the policies that select the entry say: all of those that enforce must hold. Lists and messages are
// clipped to their bounds.
func (s *CatalogImageStatus) MarkJudged(v Verification) {
	for i := range v.Policies {
		v.Policies[i].Message = clip(v.Policies[i].Message, MaxVerdict)
	}
	s.judgeEnforced(v.Policies)
	v.Policies = v.Policies[:min(len(v.Policies), MaxPolicies)]
	v.Signers = v.Signers[:min(len(v.Signers), MaxSigners)]
	s.Verification = &v
}

func (s *CatalogImageStatus) judgeEnforced(verdicts []PolicyVerdict) {
	var satisfied []string
	var unknown *PolicyVerdict
	for i := range verdicts {
		switch v := &verdicts[i]; {
		case v.Mode == ModeWarn:
		case v.Outcome == PolicyViolated:
			s.MarkPolicyViolated(v.Name, v.Message)
			return
		case v.Outcome == PolicySatisfied:
			satisfied = append(satisfied, v.Name)
		case unknown == nil:
			unknown = v
		}
	}
	switch {
	case unknown != nil:
		s.MarkPolicyUnknown(unknown.Reason, fmt.Sprintf("policy %q: %s", unknown.Name, unknown.Message))
	case len(satisfied) > 0:
		s.MarkPolicySatisfied(satisfied...)
	default:
		s.markNothingEnforced()
	}
}

// IsJudgedBy says whether the status has the verdicts of these policies, as they are now, on the image that it speaks of. They
// are compared by name and revision.
func (s *CatalogImageStatus) IsJudgedBy(policies []PolicyVerdict) bool {
	policies = policies[:min(len(policies), MaxPolicies)]
	return s.Verification != nil && s.Verification.Digest == s.Digest &&
		slices.EqualFunc(s.Verification.Policies, policies, func(a, b PolicyVerdict) bool { return a.Name == b.Name && a.Revision == b.Revision })
}

// MarkPolicySatisfied records that the named policies, which are all the enforcing ones that select the entry, hold.
func (s *CatalogImageStatus) MarkPolicySatisfied(policies ...string) {
	conditions.Manage(s).MarkTrueWithReason(ConditionPolicySatisfied, "PoliciesHold", "%s", clip(strings.Join(policies, ", "), MaxMessage))
}

// MarkPolicyViolated records which policy does not hold, and what it misses.
func (s *CatalogImageStatus) MarkPolicyViolated(policy, message string) {
	s.markFalse(ConditionPolicySatisfied, "PolicyViolated", fmt.Sprintf("policy %q: %s", policy, message))
}

// MarkPolicyUnknown records that the policies could not be judged.
func (s *CatalogImageStatus) MarkPolicyUnknown(reason, message string) {
	s.markUnknown(ConditionPolicySatisfied, reason, message)
}

// MarkVerified records the authority that verified the digest.
func (s *CatalogImageStatus) MarkVerified(authority string) {
	conditions.Manage(s).MarkTrueWithReason(ConditionVerified, "Verified", "%s", clip("by "+authority, MaxMessage))
}

// MarkNotVerified records why no authority verified the digest.
func (s *CatalogImageStatus) MarkNotVerified(reason, message string) {
	s.markFalse(ConditionVerified, reason, message)
}

// MarkVerifiedUnknown records why it could not be told whether an authority verified the digest.
func (s *CatalogImageStatus) MarkVerifiedUnknown(reason, message string) {
	s.markUnknown(ConditionVerified, reason, message)
}
