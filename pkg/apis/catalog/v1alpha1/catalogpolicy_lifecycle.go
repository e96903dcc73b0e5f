package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
)

// The conditions of which a policy's Ready is the sum.
const (
	// ConditionValid says whether the policy can be read. One that cannot is refused by the webhook.
	ConditionValid apis.ConditionType = "Valid"
	// ConditionKeysAvailable says whether the keys of all authorities are there.
	ConditionKeysAvailable apis.ConditionType = "KeysAvailable"
)

// ReasonKeyUnavailable is that of an authority whose key cannot be had.
const ReasonKeyUnavailable = "KeyUnavailable"

// The bounds of policies and of their verdicts.
const (
	// MaxKeyData is the longest text with public keys of one authority, in bytes.
	MaxKeyData = 16384
	// MaxUnsatisfied is how many entries a policy names that do not satisfy it.
	MaxUnsatisfied = 10
	// MaxPolicies is the verdicts of how many policies an entry's status has.
	MaxPolicies = 32
	// MaxSigners is how many signers an entry's status names.
	MaxSigners = 64
	// MaxVerdict is the longest message of a policy's verdict, in characters.
	MaxVerdict = 1024
)

var policyConditions = apis.NewLivingConditionSet(ConditionValid, ConditionKeysAvailable)

// GetGroupVersionKind implements kmeta.OwnerRefable.
func (*CatalogPolicy) GetGroupVersionKind() schema.GroupVersionKind {
	return SchemeGroupVersion.WithKind("CatalogPolicy")
}

// GetUntypedSpec implements apis.HasSpec.
func (p *CatalogPolicy) GetUntypedSpec() any { return p.Spec }

// GetConditionSet implements duckv1.KRShaped.
func (*CatalogPolicy) GetConditionSet() apis.ConditionSet { return policyConditions }

// GetStatus implements duckv1.KRShaped.
func (p *CatalogPolicy) GetStatus() *duckv1.Status { return &p.Status.Status }

// Enforces says whether an entry that does not satisfy the policy is not Ready.
func (s *CatalogPolicySpec) Enforces() bool { return s.Mode != ModeWarn }

// MarkValid records that the policy can be read.
func (s *CatalogPolicyStatus) MarkValid() { policyConditions.Manage(s).MarkTrue(ConditionValid) }

// MarkInvalid records what of the policy cannot be read.
func (s *CatalogPolicyStatus) MarkInvalid(message string) {
	policyConditions.Manage(s).MarkFalse(ConditionValid, "Invalid", "%s", clip(message, MaxMessage))
}

// MarkKeys records the keys that were read from Secrets: those of all authorities that name one.
func (s *CatalogPolicyStatus) MarkKeys(keys []AuthorityKeys) {
	s.Keys = keys
	policyConditions.Manage(s).MarkTrue(ConditionKeysAvailable)
}

// MarkKeysUnavailable records the keys that could be read from Secrets, and why others could not.
func (s *CatalogPolicyStatus) MarkKeysUnavailable(keys []AuthorityKeys, message string) {
	s.Keys = keys
	policyConditions.Manage(s).MarkFalse(ConditionKeysAvailable, ReasonKeyUnavailable, "%s", clip(message, MaxMessage))
}
