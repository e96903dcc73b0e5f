package admission

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// stampSkew is how far a stamp may be from the time at which it is validated: the two webhooks of one request may be
// answered by two replicas.
const stampSkew = time.Minute

// stamped are the annotations that say who published an entry and when. They are facts that nothing could find out
// again, so the webhook writes them and nobody changes them.
var stamped = [...]string{v1alpha1.CreatorAnnotation, v1alpha1.LastModifierAnnotation, v1alpha1.PublishedAtAnnotation}

// write is a request to store an entry, as far as its stamps are concerned.
type write struct {
	user string
	at   time.Time
	// before is the stored entry; nil in a create.
	before *v1alpha1.CatalogImage
	// respecified says that the spec is another than the stored one.
	respecified bool
}

func newWrite(user string, at time.Time, before, after *admittedImage) write {
	if before == nil {
		return write{user: user, at: at}
	}
	same := before.readable() && after.readable() && equality.Semantic.DeepEqual(before.Spec, after.Spec)
	return write{user: user, at: at, before: &before.CatalogImage, respecified: !same}
}

// stored is what the annotation was before; "" in a create.
func (w write) stored(annotation string) string {
	if w.before == nil {
		return ""
	}
	return w.before.Annotations[annotation]
}

// own is what the webhook gives the annotation. An entry from before there were stamps has no creator, and was
// published when it was created.
func (w write) own(annotation string) string {
	switch annotation {
	case v1alpha1.PublishedAtAnnotation:
		return w.ownTime()
	case v1alpha1.LastModifierAnnotation:
		if w.respecified {
			return w.user
		}
	}
	if w.before == nil {
		return w.user
	}
	return w.stored(annotation)
}

func (w write) ownTime() string {
	at := w.at
	if w.before != nil {
		if stored := w.stored(v1alpha1.PublishedAtAnnotation); stored != "" {
			return stored
		}
		at = w.before.CreationTimestamp.Time
	}
	return at.UTC().Format(time.RFC3339)
}

// stamp gives the entry the stamps that it does not bring with it.
func (w write) stamp(entry *v1alpha1.CatalogImage) {
	for _, annotation := range stamped {
		brought := entry.Annotations[annotation]
		own := w.own(annotation)
		if own == "" || (brought != "" && brought != w.stored(annotation)) {
			continue
		}
		if entry.Annotations == nil {
			entry.Annotations = map[string]string{}
		}
		entry.Annotations[annotation] = own
	}
}

// foreign are the annotations of the entry with values from elsewhere, which only a restore may bring.
func (w write) foreign(entry *v1alpha1.CatalogImage) []string {
	var foreign []string
	for _, annotation := range stamped {
		if !w.mayBe(annotation, entry.Annotations[annotation]) {
			foreign = append(foreign, annotation)
		}
	}
	return foreign
}

func (w write) mayBe(annotation, value string) bool {
	if value == w.own(annotation) || (w.before != nil && value == w.stored(annotation)) {
		return true
	}
	if w.before != nil || annotation != v1alpha1.PublishedAtAnnotation {
		return false
	}
	at, err := time.Parse(time.RFC3339, value)
	return err == nil && at.Sub(w.at).Abs() <= stampSkew
}

// refuseForeign says what to do about an annotation that may not be stored as it is.
func (w write) refuseForeign(annotation string, entry *v1alpha1.CatalogImage) *apis.FieldError {
	value := entry.Annotations[annotation]
	if value == "" {
		return stampError("missing", annotation, "the catalog writes it, and was not asked to; try again, and see that webhook "+defaultingName+" is in place")
	}
	message := fmt.Sprintf("must not be set to %q", value)
	if w.stored(annotation) != "" {
		message = fmt.Sprintf("must not be changed to %q", value)
	}
	return stampError(message, annotation, fmt.Sprintf("leave the annotation out, and the catalog writes %q; "+
		"only a restore may carry it in, by an account with the verb restore on catalogimages in namespace %q (ClusterRole %s)",
		w.own(annotation), entry.Namespace, restoreRole))
}

// refuseTime refuses a time of publication that cannot be one, whoever brings it.
func (w write) refuseTime(entry *v1alpha1.CatalogImage) *apis.FieldError {
	value := entry.Annotations[v1alpha1.PublishedAtAnnotation]
	if value == "" || value == w.stored(v1alpha1.PublishedAtAnnotation) {
		return nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return stampError(fmt.Sprintf("%q is no time", value), v1alpha1.PublishedAtAnnotation, "write it as in RFC 3339, such as 2026-11-22T07:30:00Z")
	}
	if at.After(w.at.Add(stampSkew)) {
		return stampError(fmt.Sprintf("%q is in the future", value), v1alpha1.PublishedAtAnnotation,
			"it is now "+w.at.UTC().Format(time.RFC3339)+"; nothing is published before it is there")
	}
	return nil
}

func stampError(message, annotation, details string) *apis.FieldError {
	return &apis.FieldError{Message: message, Paths: []string{"metadata.annotations[" + annotation + "]"}, Details: details}
}
