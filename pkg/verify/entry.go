package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/param"
)

// Entries reads the entries of the catalog.
type Entries interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.CatalogImage, error)
}

// subjectOf finds the image that an entry names. What pins it is the entry's digest; an entry that follows its tag is
// held to the digest that the catalog found last.
func (v *Verifier) subjectOf(ctx context.Context, namespace, name string) (subject, error) {
	entries, err := v.Entries()
	if err != nil {
		return subject{}, catalogProblem(namespace, name, err)
	}
	entry, err := entries.Get(ctx, namespace, name)
	if err != nil {
		return subject{}, catalogProblem(namespace, name, err)
	}
	if life := entry.Spec.Lifecycle; life != nil && life.State == v1alpha1.LifecycleRecalled {
		return subject{}, &finding{NotVerified, ReasonRecalled, fmt.Sprintf("the entry %s/%s is recalled (%s): use %s",
			namespace, name, cmp.Or(life.Reason, "no reason given"), cmp.Or(life.Successor, "another image"))}
	}
	s, err := parseSubject(entry.Spec.Image, entry.Spec.Digest)
	if err != nil {
		return subject{}, &finding{NotVerified, ReasonEntryInvalid, fmt.Sprintf("the entry %s/%s names no image that can be asked for: %s", namespace, name, problem(err))}
	}
	s.entry = entry
	if s.pin == "" && entry.Status.Digest != "" {
		s.pin = entry.Status.Digest
	}
	return s, nil
}

// problem leaves out the name of a param, which is not where the entry's image came from.
func problem(err error) string {
	var wrong *param.Error
	if errors.As(err, &wrong) {
		return wrong.Problem
	}
	return err.Error()
}

func catalogProblem(namespace, name string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return &finding{NotVerified, ReasonEntryNotFound, fmt.Sprintf("there is no entry %s/%s: publish the image with catalog-publish, or correct NAME and NAMESPACE", namespace, name)}
	case apierrors.IsForbidden(err):
		return &finding{Undecided, ReasonCatalogForbidden, fmt.Sprintf("the service account of this run may not read the entry %s/%s: grant it the role imagecatalog-view there", namespace, name)}
	default:
		return &finding{Undecided, ReasonCatalogUnavailable, fmt.Sprintf("the catalog gave no answer about the entry %s/%s (%v): check that the API server can be reached", namespace, name, err)}
	}
}
