package catalogimage

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	events "k8s.io/client-go/tools/record"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
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
)

// note is something that happened to an entry. It becomes an Event and an audit line when the status that tells of it is
// stored: a crash before leads to the same note again, and one after to none.
type note struct {
	recorder        events.EventRecorder
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
	notes []note
	event reconciler.Event
}

// add takes the recorder of Events from the context, where the generated reconciler puts it.
func (j *journal) add(ctx context.Context, entry *v1alpha1.CatalogImage, kind, reason, format string, args ...any) {
	j.write(entry, func(p *page) {
		p.notes = append(p.notes, note{controller.GetEventRecorder(ctx), entry, kind, reason, fmt.Sprintf(format, args...)})
	})
}

// end notes how the reconciliation ended, before its status is stored.
func (j *journal) end(entry *v1alpha1.CatalogImage, event reconciler.Event) {
	j.write(entry, func(p *page) { p.event = event })
}

func (j *journal) write(entry *v1alpha1.CatalogImage, do func(*page)) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.pages == nil {
		j.pages = map[string]*page{}
	}
	key := entry.Namespace + "/" + entry.Name
	if j.pages[key] == nil {
		j.pages[key] = &page{}
	}
	do(j.pages[key])
}

// take gives the page for a key, and forgets it.
func (j *journal) take(key string) page {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	written := j.pages[key]
	delete(j.pages, key)
	if written == nil {
		return page{}
	}
	return *written
}

// compare notes what a reconciliation changed in the life of an entry.
func (j *journal) compare(ctx context.Context, before, after *v1alpha1.CatalogImage) {
	was, is := &before.Status, &after.Status
	switch {
	case was.ObservedGeneration == 0:
		j.add(ctx, after, corev1.EventTypeNormal, eventPublished, "published by %s: %s", orNobody(after.PublishedBy()), after.Spec.Image)
	case was.ObservedGeneration != after.Generation:
		j.add(ctx, after, corev1.EventTypeNormal, eventUpdated, "changed by %s", orNobody(after.Annotations[v1alpha1.LastModifierAnnotation]))
	}
	switch {
	case is.Image == was.Image && is.Digest != was.Digest && was.Digest != "":
		j.add(ctx, after, corev1.EventTypeNormal, eventDrift, "the tag was moved from %s to %s", was.Digest, is.Digest)
	case reasonOfResolved(is) == eventImageDeleted && reasonOfResolved(was) != eventImageDeleted:
		j.add(ctx, after, corev1.EventTypeWarning, eventImageDeleted, "the registry has %s no more", is.Digest)
	}
	if is.Image == was.Image && lost(was) && !lost(is) {
		j.add(ctx, after, corev1.EventTypeNormal, eventRecovered, "the registry has it as described again: %s", is.Digest)
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

// announcing publishes the notes of each reconciliation after it stored its status.
type announcing struct {
	generated
	journal *journal
	metrics *metrics
}

// generated is the reconciler that knative generates: it stores the status that Reconciler decides on.
type generated interface {
	controller.Reconciler
	reconciler.LeaderAware
}

// Reconcile implements controller.Reconciler.
func (a *announcing) Reconcile(ctx context.Context, key string) error {
	err := a.generated.Reconcile(ctx, key)
	page := a.journal.take(key)
	if err != nil && !errors.Is(err, page.event) {
		return err // the status was not stored: it comes again, and so do its notes
	}
	for _, n := range page.notes {
		a.metrics.announced(ctx, n.reason, hostOf(n.entry))
		n.recorder.Event(n.entry, n.kind, n.reason, n.message)
		logging.FromContext(ctx).Infow("audit", "action", n.reason, "entry", key, "image", n.entry.Status.Image, "digest", n.entry.Status.Digest,
			"creator", n.entry.PublishedBy(), "lastModifier", n.entry.Annotations[v1alpha1.LastModifierAnnotation], "outcome", n.message)
	}
	return err
}

// hostOf is the registry of an entry's image; empty for a reference that is none.
func hostOf(entry *v1alpha1.CatalogImage) string {
	ref, err := entry.Spec.Reference()
	if err != nil {
		return ""
	}
	return ref.Context().RegistryStr()
}
