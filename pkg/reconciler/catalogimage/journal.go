package catalogimage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// The reasons of Events, and the actions of audit lines.
const (
	eventPublished           = "Published"
	eventUpdated             = "Updated"
	eventDrift               = "Drift"
	eventImageDeleted        = "ImageDeleted"
	eventRecovered           = "Recovered"
	eventReferrersUnreadable = "ReferrersUnreadable"
	eventStatusRepaired      = "StatusRepaired"
	eventVerified            = "Verified"
	eventNotVerified         = "NotVerified"
	eventPolicyViolated      = "PolicyViolated"
	eventPolicySatisfied     = "PolicySatisfied"
)

// note is something that happened to an entry. It becomes an Event before the status that tells of it is stored, and an
// audit line after that: a crash before leads to the same note again, and one after to none.
type note struct {
	entry           *v1alpha1.CatalogImage
	kind            string // of the Event
	reason, message string
}

// journal holds the notes of reconciliations that are under way. A key is in one at most.
type journal struct {
	mutex sync.Mutex
	pages map[string]*page
}

// page is what one reconciliation noted, and how it ended itself.
type page struct {
	uid   types.UID
	began string // the fingerprint of the status that was stored
	notes []note
	told  bool // their Events are stored
	event reconciler.Event
}

// begin opens the page of a reconciliation, by the status that is stored.
func (j *journal) begin(entry *v1alpha1.CatalogImage) {
	opened := &page{uid: entry.UID, began: fingerprint(entry.Status)}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.pages == nil {
		j.pages = map[string]*page{}
	}
	j.pages[keyOf(entry)] = opened
}

// fingerprint tells stored statuses apart. Conditions do not count: knative has changed some before anybody sees them. No
// verdict of the registry changes without a field beside them, such as when it was given.
func fingerprint(status v1alpha1.CatalogImageStatus) string {
	status.Conditions = nil
	text, err := json.Marshal(status)
	if err != nil {
		return err.Error() // which plain data gives no reason for
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (j *journal) add(entry *v1alpha1.CatalogImage, kind, reason, format string, args ...any) {
	page := j.page(keyOf(entry))
	page.notes = append(page.notes, note{entry, kind, reason, fmt.Sprintf(format, args...)})
}

// end notes how the reconciliation ended, before its status is stored.
func (j *journal) end(entry *v1alpha1.CatalogImage, event reconciler.Event) {
	j.page(keyOf(entry)).event = event
}

// page is the one for a key: an empty one where none was begun.
func (j *journal) page(key string) *page {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if begun := j.pages[key]; begun != nil {
		return begun
	}
	return &page{}
}

// take gives the page for a key, and forgets it.
func (j *journal) take(key string) *page {
	taken := j.page(key)
	j.mutex.Lock()
	defer j.mutex.Unlock()
	delete(j.pages, key)
	return taken
}

func keyOf(entry *v1alpha1.CatalogImage) string { return entry.Namespace + "/" + entry.Name }

// compare notes what a reconciliation changed in the life of an entry.
func (j *journal) compare(before, after *v1alpha1.CatalogImage) {
	was, is := &before.Status, &after.Status
	switch {
	case was.ObservedGeneration == 0:
		j.add(after, corev1.EventTypeNormal, eventPublished, "published by %s: %s", orNobody(after.PublishedBy()), after.Spec.Image)
	case was.ObservedGeneration != after.Generation:
		j.add(after, corev1.EventTypeNormal, eventUpdated, "changed by %s", orNobody(after.Annotations[v1alpha1.LastModifierAnnotation]))
	}
	switch {
	case is.Image == was.Image && is.Digest != was.Digest && was.Digest != "":
		j.add(after, corev1.EventTypeNormal, eventDrift, "the tag was moved from %s to %s", was.Digest, is.Digest)
	case reasonOfResolved(is) == eventImageDeleted && reasonOfResolved(was) != eventImageDeleted:
		j.add(after, corev1.EventTypeWarning, eventImageDeleted, "the registry has %s no more", is.Digest)
	}
	if is.Image == was.Image && lost(was) && !lost(is) {
		j.add(after, corev1.EventTypeNormal, eventRecovered, "the registry has it as described again: %s", is.Digest)
	}
	j.compareTrust(before, after)
}

// compareTrust notes what policies newly say. A first verdict that they hold is none: nothing was wrong before.
func (j *journal) compareTrust(before, after *v1alpha1.CatalogImage) {
	was, is := &before.Status, &after.Status
	verified, wasVerified := is.GetCondition(v1alpha1.ConditionVerified), was.GetCondition(v1alpha1.ConditionVerified)
	switch {
	case verified.IsTrue() && !wasVerified.IsTrue():
		j.add(after, corev1.EventTypeNormal, eventVerified, "%s is signed %s", is.Digest, verified.GetMessage())
	case verified.IsFalse() && wasVerified.IsTrue():
		j.add(after, corev1.EventTypeWarning, eventNotVerified, "no signature of %s counts any more: %s", is.Digest, verified.GetMessage())
	}
	if is.Verification == nil {
		return
	}
	for _, said := range is.Verification.Policies {
		then := verdictOf(was.Verification, said.Name)
		wasViolated := then != nil && then.Outcome == v1alpha1.PolicyViolated
		switch {
		case said.Outcome == v1alpha1.PolicyViolated && !wasViolated:
			j.add(after, corev1.EventTypeWarning, eventPolicyViolated, "policy %s (%s): %s", said.Name, said.Mode, said.Message)
		case said.Outcome == v1alpha1.PolicySatisfied && wasViolated:
			j.add(after, corev1.EventTypeNormal, eventPolicySatisfied, "policy %s (%s) is satisfied", said.Name, said.Mode)
		}
	}
}

func orNobody(user string) string {
	if user == "" {
		return "an unknown user"
	}
	return user
}

func reasonOfResolved(s *v1alpha1.CatalogImageStatus) string {
	return s.GetCondition(v1alpha1.ConditionResolved).GetReason()
}

// lost says whether an image that was found before is not to be had, or may not be.
func lost(s *v1alpha1.CatalogImageStatus) bool {
	return s.Digest != "" && (!s.GetCondition(v1alpha1.ConditionResolved).IsTrue() || s.GetCondition(v1alpha1.ConditionFresh).IsFalse())
}
