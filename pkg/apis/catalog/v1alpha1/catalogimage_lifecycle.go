package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
)

const (
	// ConditionReady is True when the conditions below are.
	ConditionReady = apis.ConditionReady
	// ConditionResolved says whether the reference exists in its registry and has the pinned digest.
	ConditionResolved apis.ConditionType = "Resolved"
	// ConditionUnique says whether the entry is the only one of its identity in the namespace.
	ConditionUnique apis.ConditionType = "Unique"
)

var conditions = apis.NewLivingConditionSet(ConditionResolved, ConditionUnique)

// GetGroupVersionKind implements kmeta.OwnerRefable.
func (*CatalogImage) GetGroupVersionKind() schema.GroupVersionKind {
	return SchemeGroupVersion.WithKind("CatalogImage")
}

// GetConditionSet implements duckv1.KRShaped.
func (*CatalogImage) GetConditionSet() apis.ConditionSet { return conditions }

// GetStatus implements duckv1.KRShaped.
func (i *CatalogImage) GetStatus() *duckv1.Status { return &i.Status.Status }

// GetUntypedSpec implements apis.HasSpec; knative's defaulting webhook stamps the creator and the last modifier of kinds that have it.
func (i *CatalogImage) GetUntypedSpec() any { return i.Spec }

// IsReady says whether the conditions hold for the spec as it is now.
func (i *CatalogImage) IsReady() bool {
	return i.Status.ObservedGeneration == i.Generation && i.Status.GetCondition(ConditionReady).IsTrue()
}

// MarkImage says which image the status speaks of, by its canonical reference. What was found out about another is
// forgotten.
func (s *CatalogImageStatus) MarkImage(image string) {
	if s.Image != image {
		*s = CatalogImageStatus{Status: s.Status, Image: image}
	}
}

// MarkResolved records that the registry has the image as described.
func (s *CatalogImageStatus) MarkResolved() {
	conditions.Manage(s).MarkTrue(ConditionResolved)
}

// MarkUnresolved records that the registry does not have the image as described, which only a change there or here can mend.
func (s *CatalogImageStatus) MarkUnresolved(reason, message string) {
	conditions.Manage(s).MarkFalse(ConditionResolved, reason, "%s", message)
}

// MarkResolvedUnknown records that the registry gave no answer to go by.
func (s *CatalogImageStatus) MarkResolvedUnknown(reason, message string) {
	conditions.Manage(s).MarkUnknown(ConditionResolved, reason, "%s", message)
}

// MarkUnique records that the entry holds the claim on its identity.
func (s *CatalogImageStatus) MarkUnique() {
	conditions.Manage(s).MarkTrue(ConditionUnique)
}

// MarkDuplicate records that another entry of the namespace holds the claim.
func (s *CatalogImageStatus) MarkDuplicate(holder string) {
	conditions.Manage(s).MarkFalse(ConditionUnique, "Duplicate", "the entry %q is of the same image; delete one of the two", holder)
}

// MarkUniquePending records that another entry of the same image may be about to be stored.
func (s *CatalogImageStatus) MarkUniquePending(message string) {
	conditions.Manage(s).MarkUnknown(ConditionUnique, "ClaimPending", "%s", message)
}

// MarkUniqueUnknown records that the claim could not be read.
func (s *CatalogImageStatus) MarkUniqueUnknown(message string) {
	conditions.Manage(s).MarkUnknown(ConditionUnique, "ClaimUnreadable", "%s", message)
}

// MarkChecked records when the registry gave a definite answer. Seconds are all the API keeps.
func (s *CatalogImageStatus) MarkChecked(at time.Time) {
	t := metav1.NewTime(at).Rfc3339Copy()
	s.LastCheckedAt = &t
}

// DerivePhase sums the conditions up. The first rule that matches wins:
//
//	Resolved never attempted                    Pending
//	Resolved False, after having been resolved  Unavailable
//	any dependent False                         Failed
//	Ready                                       Available
//	Unknown, after having been resolved         Unavailable
//	otherwise                                   Verifying
func (s *CatalogImageStatus) DerivePhase() Phase {
	resolved := s.GetCondition(ConditionResolved)
	before := s.Digest != ""
	switch {
	case resolved == nil || (resolved.IsUnknown() && resolved.Reason == ""):
		return PhasePending
	case resolved.IsFalse() && before:
		return PhaseUnavailable
	case resolved.IsFalse() || s.GetCondition(ConditionUnique).IsFalse():
		return PhaseFailed
	case s.GetCondition(ConditionReady).IsTrue():
		return PhaseAvailable
	case before:
		return PhaseUnavailable
	default:
		return PhaseVerifying
	}
}
