package v1alpha1

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// The conditions of which Ready is the sum.
const (
	// ConditionReady is True when Resolved, PolicySatisfied and Unique are.
	ConditionReady = apis.ConditionReady
	// ConditionResolved says whether the reference exists in its registry and has the pinned digest.
	ConditionResolved apis.ConditionType = "Resolved"
	// ConditionPolicySatisfied says whether every enforcing policy that selects the entry holds.
	ConditionPolicySatisfied apis.ConditionType = "PolicySatisfied"
	// ConditionUnique says whether the entry is the only one of its identity in the namespace.
	ConditionUnique apis.ConditionType = "Unique"
)

// The conditions that inform and do not count for Ready. One that is missing was never judged.
const (
	// ConditionVerified is True only when a named authority verified the digest.
	ConditionVerified apis.ConditionType = "Verified"
	// ConditionFresh is False, with the reason, while the registry gives no answer to go by.
	ConditionFresh apis.ConditionType = "Fresh"
	// ConditionMetadataMatches is False when the image contradicts what the entry declares about it.
	ConditionMetadataMatches apis.ConditionType = "MetadataMatches"
)

// CheckRequestedAtAnnotation asks for a check now, whenever the next one is due. Its value says when it was asked for
// (RFC 3339); another value is another request. The outcome is in status.checkRequest.
const CheckRequestedAtAnnotation = catalog.GroupName + "/check-requested-at"

// maxRequestedAt is how much of the annotation is mirrored, in characters.
const maxRequestedAt = 64

// OutageGrace is how long the last verdicts stand while a registry gives no answer, from the first check that failed.
const OutageGrace = time.Hour

// reasonNoPolicy says that no enforcing policy selects the entry.
const reasonNoPolicy = "NoPolicy"

var conditions = apis.NewLivingConditionSet(ConditionResolved, ConditionPolicySatisfied, ConditionUnique)

// GetGroupVersionKind implements kmeta.OwnerRefable.
func (*CatalogImage) GetGroupVersionKind() schema.GroupVersionKind {
	return SchemeGroupVersion.WithKind("CatalogImage")
}

// GetConditionSet implements duckv1.KRShaped.
func (*CatalogImage) GetConditionSet() apis.ConditionSet { return conditions }

// GetStatus implements duckv1.KRShaped.
func (i *CatalogImage) GetStatus() *duckv1.Status { return &i.Status.Status }

// IsReady says whether the conditions hold for the spec as it is now.
func (i *CatalogImage) IsReady() bool {
	return i.Status.ObservedGeneration == i.Generation && i.Status.GetCondition(ConditionReady).IsTrue()
}

// MarkImage says which image the status speaks of, by its canonical reference. What was found out about another is
// forgotten, the conditions that judged it included: no verdict on one image may outlive it in the grace of another.
// Unique stays: the claim is judged apart from the registry. So does the history, to which the image before belongs now.
func (s *CatalogImageStatus) MarkImage(image string, at time.Time) {
	if s.Image == image {
		return
	}
	s.endPeriod(CauseSpecChanged, at)
	*s = CatalogImageStatus{
		Status: s.Status, Image: image, PublishedAt: s.PublishedAt, PublishedBy: s.PublishedBy,
		History: s.History, CheckRequest: s.CheckRequest,
	}
	s.forget(ConditionVerified, ConditionFresh, ConditionMetadataMatches)
	conditions.Manage(s).MarkUnknown(ConditionResolved, "", "")
	conditions.Manage(s).MarkUnknown(ConditionPolicySatisfied, "", "")
}

// forget removes conditions.
func (s *CatalogImageStatus) forget(types ...apis.ConditionType) {
	s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c apis.Condition) bool {
		return slices.Contains(types, c.Type)
	})
}

// MarkPublished mirrors what the entry says about when it was published, and by whom.
func (s *CatalogImageStatus) MarkPublished(entry *CatalogImage) {
	s.PublishedAt = nil
	if at := entry.PublishedAt(); !at.IsZero() {
		s.PublishedAt = seconds(at)
	}
	s.PublishedBy = clip(entry.PublishedBy(), MaxUser)
}

// MarkResolved records that the registry has the image as described.
func (s *CatalogImageStatus) MarkResolved() {
	conditions.Manage(s).MarkTrue(ConditionResolved)
}

// MarkUnresolved records that the registry does not have the image as described, which only a change there or here can
// mend.
func (s *CatalogImageStatus) MarkUnresolved(reason, message string) {
	s.markFalse(ConditionResolved, reason, message)
}

// MarkDigest records the digest that the image has at the time of a check. It returns the one that it had before if the
// tag was moved; else nothing.
func (s *CatalogImageStatus) MarkDigest(digest string, at time.Time) (before string) {
	if s.Digest != digest {
		before = s.endPeriod(CauseTagMoved, at)
		s.Digest = digest
	}
	if s.DigestSince == nil {
		s.DigestSince = seconds(at)
	}
	return before
}

// endPeriod enters the digest that the image had until now into the history, unless that was done when the image was
// deleted. It returns the digest.
func (s *CatalogImageStatus) endPeriod(cause HistoryCause, at time.Time) (ended string) {
	if s.Digest == "" || s.knownDeleted() {
		return ""
	}
	period := DigestPeriod{Digest: s.Digest, From: s.DigestSince, To: *seconds(at), Cause: cause}
	s.History = slices.Insert(slices.Clone(s.History), 0, period)
	s.History = s.History[:min(len(s.History), MaxHistory)]
	s.DigestSince = nil
	return period.Digest
}

// knownDeleted says whether the digest is in the history already, because the image was deleted.
func (s *CatalogImageStatus) knownDeleted() bool {
	return s.DigestSince == nil && len(s.History) > 0 && s.History[0].Digest == s.Digest && s.History[0].Cause == CauseImageDeleted
}

// MarkDeleted records that the registry had the image and has it no more. What it was is kept.
func (s *CatalogImageStatus) MarkDeleted(message string, at time.Time) {
	s.endPeriod(CauseImageDeleted, at)
	s.markFalse(ConditionResolved, string(CauseImageDeleted), message)
}

// MarkCheckRequest records what came of a check that was asked for.
func (s *CatalogImageStatus) MarkCheckRequest(requestedAt, outcome, message string, at time.Time) {
	s.CheckRequest = &CheckRequest{
		RequestedAt: clip(requestedAt, maxRequestedAt), FinishedAt: *seconds(at), Outcome: outcome, Message: clip(message, MaxMessage),
	}
}

// RequestedCheck is the value of the annotation that asks for a check, if it asks for one that was not done.
func (i *CatalogImage) RequestedCheck() (requestedAt string, open bool) {
	requestedAt = i.Annotations[CheckRequestedAtAnnotation]
	done := i.Status.CheckRequest
	return requestedAt, requestedAt != "" && (done == nil || done.RequestedAt != clip(requestedAt, maxRequestedAt))
}

// MarkUnchecked records that the registry has not been asked about the spec as it is.
func (s *CatalogImageStatus) MarkUnchecked() { s.LastCheckedAt = nil }

// MarkChecked records when the registry gave a definite answer, which ends an outage. Seconds are all the API keeps.
func (s *CatalogImageStatus) MarkChecked(at time.Time) {
	s.LastCheckedAt = seconds(at)
	s.OutageSince = nil
	conditions.Manage(s).MarkTrue(ConditionFresh)
}

// MarkOutage records that the registry gave no answer to go by, at the time of the check. The verdicts before it stand
// for OutageGrace, counted from the first of the checks that failed; then, or where there is none, Resolved and
// PolicySatisfied are Unknown, until the registry answers. That there is no policy takes no registry to know.
//
// The start is a field of the status, because the transition time of a condition moves whenever its message does.
func (s *CatalogImageStatus) MarkOutage(reason, message string, at time.Time) {
	if s.OutageSince == nil || s.OutageSince.After(at) {
		s.OutageSince = seconds(at)
	}
	s.markFalse(ConditionFresh, reason, message)
	over := at.Sub(s.OutageSince.Time) >= OutageGrace
	for _, verdict := range []apis.ConditionType{ConditionResolved, ConditionPolicySatisfied} {
		was := s.GetCondition(verdict)
		if was.IsUnknown() || (over && was.Reason != reasonNoPolicy) {
			s.markUnknown(verdict, reason, message)
		}
	}
}

// MarkMetadataMatches records that the image is what the entry declares.
func (s *CatalogImageStatus) MarkMetadataMatches() {
	conditions.Manage(s).MarkTrue(ConditionMetadataMatches)
}

// MarkMetadataContradicted records what the entry declares and the image denies.
func (s *CatalogImageStatus) MarkMetadataContradicted(message string) {
	s.markFalse(ConditionMetadataMatches, "Contradicted", message)
}

// MarkUnique records that the entry holds the claim on its identity.
func (s *CatalogImageStatus) MarkUnique() {
	conditions.Manage(s).MarkTrue(ConditionUnique)
}

// MarkDuplicate records that another entry of the namespace holds the claim.
func (s *CatalogImageStatus) MarkDuplicate(holder string) {
	s.markFalse(ConditionUnique, "Duplicate", fmt.Sprintf("the entry %q is of the same image; delete one of the two", holder))
}

// MarkUniquePending records that another entry of the same image may be about to be stored.
func (s *CatalogImageStatus) MarkUniquePending(message string) {
	s.markUnknown(ConditionUnique, "ClaimPending", message)
}

// MarkUniqueUnknown records that the claim could not be read.
func (s *CatalogImageStatus) MarkUniqueUnknown(message string) {
	s.markUnknown(ConditionUnique, "ClaimUnreadable", message)
}

func (s *CatalogImageStatus) markFalse(t apis.ConditionType, reason, message string) {
	conditions.Manage(s).MarkFalse(t, reason, "%s", clip(message, MaxMessage))
}

func (s *CatalogImageStatus) markUnknown(t apis.ConditionType, reason, message string) {
	conditions.Manage(s).MarkUnknown(t, reason, "%s", clip(message, MaxMessage))
}

// seconds is the time as the API keeps it.
func seconds(at time.Time) *metav1.Time {
	t := metav1.NewTime(at).Rfc3339Copy()
	return &t
}

// DerivePhase sums the conditions up. The first rule that matches wins:
//
//	Resolved never attempted                    Pending
//	Resolved False, after having been resolved  Unavailable
//	Resolved, PolicySatisfied or Unique False   Failed
//	Ready                                       Available
//	Unknown, after having been resolved         Unavailable
//	otherwise                                   Verifying
//
// The digest in the status says whether the image was ever resolved.
func (s *CatalogImageStatus) DerivePhase() Phase {
	resolved := s.GetCondition(ConditionResolved)
	before := s.Digest != ""
	switch {
	case resolved == nil || (resolved.IsUnknown() && resolved.Reason == ""):
		return PhasePending
	case resolved.IsFalse() && before:
		return PhaseUnavailable
	case resolved.IsFalse() || s.GetCondition(ConditionPolicySatisfied).IsFalse() || s.GetCondition(ConditionUnique).IsFalse():
		return PhaseFailed
	case s.GetCondition(ConditionReady).IsTrue():
		return PhaseAvailable
	case before:
		return PhaseUnavailable
	default:
		return PhaseVerifying
	}
}
