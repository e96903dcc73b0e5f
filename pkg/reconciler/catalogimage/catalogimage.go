package catalogimage

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogimagereconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogimage"
	"imagecatalog.dev/catalog/pkg/registry"
)

const (
	// retryInterval is how soon a registry is asked again when it gave no answer to go by. No entry's own interval is
	// shorter.
	retryInterval = 30 * time.Second
	// checkTimeout ends a check whose registry answers too slowly to ever be done. A worker is taken until then.
	checkTimeout = time.Minute
)

// secondLook is how soon a verdict that an entry is not good is looked at again: the image may have been pushed, or the
// other entry deleted.
func secondLook(interval time.Duration) time.Duration {
	return max(v1alpha1.MinCheckInterval, interval/10)
}

// Registry answers for images; the errors carry a registry.Reason.
type Registry interface {
	Head(context.Context, name.Reference, authn.Keychain) (registry.Descriptor, error)
	Describe(context.Context, name.Reference, authn.Keychain) (*registry.Description, error)
}

// Claims keep entries unique; the errors are those of claim.Keeper.
type Claims interface {
	Adopt(context.Context, claim.Claim) error
	ReleaseAll(ctx context.Context, namespace, entry, keep string) error
}

// Keychains open registries for an entry.
type Keychains interface {
	For(context.Context, *v1alpha1.CatalogImage) (authn.Keychain, error)
}

// Reconciler holds entries against their registries and claims.
type Reconciler struct {
	registry  Registry
	keychains Keychains
	claims    Claims
	now       func() time.Time
}

var (
	_ catalogimagereconciler.Interface = (*Reconciler)(nil)
	_ reconciler.OnDeletionInterface   = (*Reconciler)(nil)
)

// ReconcileKind checks an entry when a check is due, and asks to be called again when the next one is.
func (r *Reconciler) ReconcileKind(ctx context.Context, entry *v1alpha1.CatalogImage) reconciler.Event {
	if wait := r.untilDue(entry); wait > 0 {
		return controller.NewRequeueAfter(wait)
	}
	defer func() { entry.Status.Phase = entry.Status.DerivePhase() }()
	ref, err := entry.Spec.Reference()
	if err != nil {
		entry.Status.MarkUnresolved("InvalidReference", err.Error())
		return nil // only a changed spec can mend it
	}
	entry.Status.MarkImage(ref.Name())
	uniqueAgain, err := r.judgeUnique(ctx, entry, ref)
	resolvedAgain := r.judgeResolved(ctx, entry, ref)
	if err != nil {
		return err
	}
	return controller.NewRequeueAfter(min(uniqueAgain, resolvedAgain))
}

// ObserveDeletion releases what a deleted entry held.
func (r *Reconciler) ObserveDeletion(ctx context.Context, key types.NamespacedName) error {
	return r.claims.ReleaseAll(ctx, key.Namespace, key.Name, "")
}

// untilDue is how long the last verdict stands: none for a changed spec, or when the verdict is not one to stand on.
func (r *Reconciler) untilDue(entry *v1alpha1.CatalogImage) time.Duration {
	status := &entry.Status
	definite := !status.GetCondition(v1alpha1.ConditionResolved).IsUnknown() &&
		!status.GetCondition(v1alpha1.ConditionUnique).IsUnknown()
	if !definite || changed(entry) || status.LastCheckedAt == nil {
		return 0
	}
	again := entry.Spec.Interval()
	if !status.GetCondition(v1alpha1.ConditionReady).IsTrue() {
		again = secondLook(again)
	}
	return status.LastCheckedAt.Add(again).Sub(r.now())
}

// changed says whether the spec is another than the one that the status speaks of.
func changed(entry *v1alpha1.CatalogImage) bool {
	return entry.Status.ObservedGeneration != entry.Generation
}

// judgeUnique adopts the entry's claim, and releases those it held on other images. It returns when to judge again.
func (r *Reconciler) judgeUnique(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) (time.Duration, error) {
	wanted, interval := claim.For(entry, ref), entry.Spec.Interval()
	var held *claim.HeldError
	var pending *claim.PendingError
	err := r.claims.Adopt(ctx, wanted)
	if err == nil {
		err = r.releaseOthers(ctx, entry, wanted)
	}
	switch {
	case err == nil:
		entry.Status.MarkUnique()
		return interval, nil
	case errors.As(err, &held):
		entry.Status.MarkDuplicate(held.By)
		return secondLook(interval), nil
	case errors.As(err, &pending):
		entry.Status.MarkUniquePending(pending.Error())
		return pending.RetryAfter, nil
	default:
		entry.Status.MarkUniqueUnknown(err.Error())
		return 0, err
	}
}

// releaseOthers gives up the claims on images that the entry was of before. It has none when it is new, or when it has
// not changed since it was found unique.
func (r *Reconciler) releaseOthers(ctx context.Context, entry *v1alpha1.CatalogImage, keep claim.Claim) error {
	settled := !changed(entry) && entry.Status.GetCondition(v1alpha1.ConditionUnique).IsTrue()
	if settled || entry.Status.ObservedGeneration == 0 {
		return nil
	}
	return r.claims.ReleaseAll(ctx, entry.Namespace, entry.Name, keep.Identity)
}

// judgeResolved asks the registry about the image. It returns when to ask again.
func (r *Reconciler) judgeResolved(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) time.Duration {
	status, interval := &entry.Status, entry.Spec.Interval()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := r.ask(ctx, entry, ref)
	switch reason := registry.ReasonOf(err); {
	case err == nil:
		status.MarkResolved()
	case reason.Definite():
		status.MarkUnresolved(string(reason), err.Error())
		interval = secondLook(interval)
	default:
		status.MarkResolvedUnknown(cmp.Or(string(reason), "NotAsked"), err.Error())
		return retryInterval
	}
	status.MarkChecked(r.now())
	return interval
}

// ask brings the status in line with the registry: one HEAD when nothing changed, a description otherwise.
func (r *Reconciler) ask(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) error {
	keychain, err := r.keychains.For(ctx, entry)
	if err != nil {
		return err
	}
	if !changed(entry) && entry.Status.GetCondition(v1alpha1.ConditionResolved).IsTrue() {
		found, err := r.registry.Head(ctx, ref, keychain)
		if err != nil || found.Digest == entry.Status.Digest {
			return err
		}
	}
	description, err := r.registry.Describe(ctx, ref, keychain)
	if err != nil {
		return err
	}
	record(&entry.Status, description)
	return nil
}
