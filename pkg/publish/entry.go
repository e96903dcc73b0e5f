package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

// Entries are the entries of one namespace. The generated client is one; nothing but these verbs is needed.
type Entries interface {
	Create(ctx context.Context, entry *v1alpha1.CatalogImage, options metav1.CreateOptions) (*v1alpha1.CatalogImage, error)
	Get(ctx context.Context, name string, options metav1.GetOptions) (*v1alpha1.CatalogImage, error)
	Update(ctx context.Context, entry *v1alpha1.CatalogImage, options metav1.UpdateOptions) (*v1alpha1.CatalogImage, error)
}

// writer writes one entry.
type writer struct {
	entries Entries
	options Options
	name    string
	pinned  name.Digest
	stated  v1alpha1.CatalogImageSpec
}

// write creates the entry or updates the one there is, and begins anew when others changed it meanwhile.
func (w *writer) write(ctx context.Context) (*v1alpha1.CatalogImage, Action, error) {
	var entry *v1alpha1.CatalogImage
	var action Action
	err := retry.OnError(retry.DefaultBackoff, raced, func() (err error) {
		entry, action, err = w.createOrUpdate(ctx)
		return err
	})
	if err != nil {
		return nil, "", explain(err, w.options)
	}
	return entry, action, nil
}

func raced(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

func (w *writer) dryRun() []string {
	if w.options.DryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// createOrUpdate reads first: admission takes the entry's claim before the API server finds that the name exists.
func (w *writer) createOrUpdate(ctx context.Context) (*v1alpha1.CatalogImage, Action, error) {
	there, err := w.entries.Get(ctx, w.name, metav1.GetOptions{})
	switch {
	case err == nil:
		return w.update(ctx, there)
	case !apierrors.IsNotFound(err):
		return nil, "", fmt.Errorf("reading the entry %s/%s: %w", w.options.Namespace, w.name, err)
	}
	created, err := w.entries.Create(ctx, &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: w.name, Namespace: w.options.Namespace},
		Spec:       w.stated,
	}, metav1.CreateOptions{DryRun: w.dryRun()})
	if err != nil {
		return nil, "", fmt.Errorf("creating the entry %s/%s: %w", w.options.Namespace, w.name, err)
	}
	return created, Created, nil
}

func (w *writer) update(ctx context.Context, there *v1alpha1.CatalogImage) (*v1alpha1.CatalogImage, Action, error) {
	if err := w.refuseOtherImage(there); err != nil {
		return nil, "", err
	}
	wanted := there.DeepCopy()
	restate(&wanted.Spec, w.stated)
	if apiequality.Semantic.DeepEqual(there.Spec, wanted.Spec) {
		return there, Unchanged, nil
	}
	updated, err := w.entries.Update(ctx, wanted, metav1.UpdateOptions{DryRun: w.dryRun()})
	if err != nil {
		return nil, "", fmt.Errorf("updating the entry %s/%s: %w", w.options.Namespace, w.name, err)
	}
	return updated, Updated, nil
}

// refuseOtherImage keeps images whose entries get the same name, such as a copy in another repository or a digest that
// begins alike, from taking each other's entry. A name that somebody chose may move to another image.
func (w *writer) refuseOtherImage(there *v1alpha1.CatalogImage) error {
	if w.options.Name != "" {
		return nil
	}
	const advice = "Give the entry a name of its own with NAME."
	holds, err := there.Spec.Reference()
	if err != nil {
		return refused(fmt.Errorf("reading the image of the entry %s/%s: %w", w.options.Namespace, w.name, err), advice)
	}
	if holds.Name() != w.pinned.Name() {
		return refused(fmt.Errorf("the entry %s/%s is of another image, %s", w.options.Namespace, w.name, holds), advice)
	}
	return nil
}

// explain says what to do about an error of the API server.
func explain(err error, options Options) error {
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return failure
	case apierrors.IsForbidden(err):
		return refused(err, fmt.Sprintf("If the service account of the run lacks the right: bind the ClusterRole "+
			"imagecatalog-publish to it in namespace %s.", options.Namespace))
	case apierrors.IsNotFound(err): // the namespace, or the kind
		return refused(err, "Install the catalog in this cluster, or correct NAMESPACE.")
	case claim.SaysRetry(err.Error()):
		return undecided(err, "Run the task again after that time.")
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return refused(err, "Correct the param that the message names. If it names another entry of the image, publish under that NAME or delete it.")
	default:
		return undecided(err, "Run the task again: what was done already is found and not done twice.")
	}
}
