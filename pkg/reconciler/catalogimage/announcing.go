package catalogimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/kmeta"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// announcing publishes the notes of each reconciliation: as Events before it stores its status, as audit lines and metrics
// afterwards.
//
// Events are written by the worker itself and not by client-go's recorder, which forgets those that it has no room for. Until
// the status is stored the same notes are made again, after a crash for example, and their Events have the same names: the
// API server has each of them once.
type announcing struct {
	generated
	journal *journal
	metrics *metrics
	events  corev1client.EventsGetter
	now     func() time.Time
	// forbidden is since when Events may not be written, by namespace.
	forbidden sync.Map
}

// forbiddenPatience is how long statuses wait for Events that are forbidden. An API server that has just started forbids
// what it has yet to read the roles for; a quota forbids it for long.
const forbiddenPatience = time.Minute

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
	if failed := a.write(ctx, page); failed != nil { // where the status stays as it was
		return failed
	}
	for _, n := range page.notes {
		a.metrics.announced(ctx, n.reason, hostOf(n.entry))
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

// tell writes the Events of a reconciliation, whose status is to be stored next. After a conflict that may be in another
// entry, which was created when the first was deleted: of that nothing is known yet.
func (a *announcing) tell(ctx context.Context, entry *v1alpha1.CatalogImage) error {
	page := a.journal.page(keyOf(entry))
	if page.uid != entry.UID {
		return fmt.Errorf("%s was deleted and created again meanwhile", keyOf(entry))
	}
	return a.write(ctx, page)
}

// write writes the Events of a page, unless they are.
func (a *announcing) write(ctx context.Context, page *page) error {
	if page.told {
		return nil
	}
	for _, n := range page.notes {
		event := n.event(page.began, a.now())
		_, err := a.events.Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{})
		switch {
		case err == nil:
			a.forbidden.Delete(event.Namespace)
		case apierrors.IsAlreadyExists(err): // it was told before a crash
		case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause): // the entry goes, too
		case a.refused(event.Namespace, err): // and would be again: the status does not wait for it
			logging.FromContext(ctx).Errorw("Writing an Event", "entry", keyOf(n.entry), "reason", n.reason, "message", n.message, "error", err)
		default:
			return fmt.Errorf("writing the Event %s of %s: %w", n.reason, keyOf(n.entry), err)
		}
	}
	page.told = true
	return nil
}

// refused says whether the API server does not take an Event of a namespace, however often it comes.
func (a *announcing) refused(namespace string, err error) bool {
	if apierrors.IsForbidden(err) {
		since, _ := a.forbidden.LoadOrStore(namespace, a.now())
		return a.now().Sub(since.(time.Time)) >= forbiddenPatience
	}
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

// namespaces forgets what was forbidden in one that went.
func (a *announcing) namespaces() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{DeleteFunc: func(object any) {
		if namespace, err := kmeta.DeletionHandlingAccessor(object); err == nil {
			a.forbidden.Delete(namespace.GetName())
		}
	}}
}

// eventSource is who Events are of: knative's name for this controller, which writes some of its own.
const eventSource = "catalogimage-controller"

// event is the Event of a note.
func (n note) event(began string, at time.Time) *corev1.Event {
	apiVersion, kind := n.entry.GetGroupVersionKind().ToAPIVersionAndKind()
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.entry.Namespace, Name: n.eventName(began)},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: apiVersion, Kind: kind, Namespace: n.entry.Namespace, Name: n.entry.Name, UID: n.entry.UID,
		},
		Type: n.kind, Reason: n.reason, Message: cut(n.message, maxEventMessage),
		Source: corev1.EventSource{Component: eventSource}, ReportingController: eventSource,
		FirstTimestamp: metav1.NewTime(at), LastTimestamp: metav1.NewTime(at), Count: 1,
	}
}

// maxEventMessage is what the API takes, in bytes.
const maxEventMessage = 1024

// eventName is the same for the same note by the same stored status, and no other. That an entry is published is one note,
// whatever it is changed to before that is stored.
func (n note) eventName(began string) string {
	about := n.message
	if n.reason == eventPublished {
		about = ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{string(n.entry.UID), n.reason, about, began}, "\x00")))
	suffix := "." + hex.EncodeToString(sum[:8])
	return strings.TrimRight(cut(n.entry.Name, validation.DNS1123SubdomainMaxLength-len(suffix)), "-.") + suffix
}

// cut is as much of a text as a number of bytes holds.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
