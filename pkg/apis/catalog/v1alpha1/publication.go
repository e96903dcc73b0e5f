package v1alpha1

import (
	"time"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// Who published an entry and when cannot be found out again, so it is not kept in the status, which is lost when an
// entry is moved or restored. Admission stamps it into annotations and refuses other values; the status mirrors them.
const (
	// CreatorAnnotation holds the user who created the entry.
	CreatorAnnotation = catalog.GroupName + "/creator"
	// LastModifierAnnotation holds the user who last changed the spec.
	LastModifierAnnotation = catalog.GroupName + "/lastModifier"
	// PublishedAtAnnotation holds when the entry was first published: RFC 3339, UTC, whole seconds.
	PublishedAtAnnotation = catalog.GroupName + "/published-at"
)

// PublishedAt is when the entry was published: what its annotation says, else when the object was created. An
// annotation that is no time counts as none.
func (i *CatalogImage) PublishedAt() time.Time {
	if at, err := time.Parse(time.RFC3339, i.Annotations[PublishedAtAnnotation]); err == nil && !at.IsZero() {
		return at.UTC()
	}
	return i.CreationTimestamp.UTC()
}

// PublishedBy is the user who published the entry, as its annotation says; "" if nothing does.
func (i *CatalogImage) PublishedBy() string { return i.Annotations[CreatorAnnotation] }
