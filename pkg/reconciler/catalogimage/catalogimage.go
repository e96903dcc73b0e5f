package catalogimage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogimagereconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogimage"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
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
	signature.Registry
	Head(context.Context, name.Reference, authn.Keychain) (registry.Descriptor, error)
	Describe(context.Context, name.Reference, authn.Keychain) (*registry.Description, error)
}

// Policies are those of the catalog; the error is policy.ErrKeysNotRead.
type Policies interface {
	Selecting(repository name.Repository, namespace string) ([]*policy.Policy, error)
}

// Claims keep entries unique; the errors are those of claim.Keeper. A duration above zero is when to ask again.
type Claims interface {
	Adopt(context.Context, claim.Claim) (time.Duration, error)
	Release(ctx context.Context, entry types.NamespacedName, keep string) (time.Duration, error)
}

// Labels make entries findable by what the registry told.
type Labels interface {
	Align(context.Context, *v1alpha1.CatalogImage) error
}

// Keychains open registries for an entry.
type Keychains interface {
	For(context.Context, *v1alpha1.CatalogImage, name.Reference) (Keychain, error)
}

// Reconciler holds entries against their registries and claims.
type Reconciler struct {
	registry  Registry
	keychains Keychains
	claims    Claims
	labels    Labels
	policies  Policies
	evidences *evidences
	journal   *journal
	accesses  *accesses
	metrics   *metrics
	now       func() time.Time
	// due is when a regular check is, after one at a time.
	due func(*v1alpha1.CatalogImage, time.Time) time.Time
	// allowed says whether the settings let a repository be asked about.
	allowed func(name.Repository) bool
}

var (
	_ catalogimagereconciler.Interface = (*Reconciler)(nil)
	_ reconciler.OnDeletionInterface   = (*Reconciler)(nil)
)

// ReconcileKind brings the claim and the labels of an entry in order and checks it when a check is due. It asks to be
// called again when the next one is.
func (r *Reconciler) ReconcileKind(ctx context.Context, entry *v1alpha1.CatalogImage) reconciler.Event {
	r.journal.begin(entry)
	labelled := r.labels.Align(ctx, entry) // by the status that is stored, as the webhook does
	repaired := r.repair(entry)
	before := entry.DeepCopy()
	event := cmp.Or[reconciler.Event](labelled, r.reconcile(ctx, entry))
	entry.Status.Phase = entry.Status.DerivePhase()
	r.accesses.fold(entry, !equality.Semantic.DeepEqual(before.Status, entry.Status))
	if !repaired { // else nobody knows what was before
		r.journal.compare(before, entry)
	}
	r.journal.end(entry, event)
	return event
}

// repair has everything found out anew that is in a status which the catalog cannot have written. It says whether it is
// such a one.
func (r *Reconciler) repair(entry *v1alpha1.CatalogImage) bool {
	damaged := entry.Status.Damage(r.now())
	if len(damaged) == 0 {
		return false
	}
	entry.Status.Distrust()
	r.journal.add(entry, corev1.EventTypeWarning, eventStatusRepaired, "the status is found out anew; damaged: %s", strings.Join(damaged, ", "))
	return true
}

func (r *Reconciler) reconcile(ctx context.Context, entry *v1alpha1.CatalogImage) reconciler.Event {
	entry.Status.MarkPublished(entry)
	ref, err := entry.Spec.Reference()
	if err != nil {
		entry.Status.MarkUnresolved("InvalidReference", err.Error())
		return nil // only a changed spec can mend it
	}
	entry.Status.MarkImage(ref.Name(), r.now())
	uniqueAgain, err := r.judgeUnique(ctx, entry, ref)
	resolvedAgain := r.judgeResolved(ctx, entry, ref)
	trustAgain := r.judgeTrust(ctx, entry, ref)
	judgeMetadata(entry)
	if err != nil {
		return err
	}
	return controller.NewRequeueAfter(min(uniqueAgain, resolvedAgain, trustAgain))
}

// ObserveDeletion releases what a deleted entry held.
func (r *Reconciler) ObserveDeletion(ctx context.Context, key types.NamespacedName) error {
	r.evidences.forget(key)
	again, err := r.claims.Release(ctx, key, "")
	if err != nil || again == 0 {
		return err
	}
	return controller.NewRequeueAfter(again)
}

// untilDue is how long the registry's last verdict stands: not at all for a changed spec, when there is none, when somebody
// asked for a check, or when the settings do not let the registry be asked any more.
func (r *Reconciler) untilDue(entry *v1alpha1.CatalogImage, repository name.Repository) time.Duration {
	status := &entry.Status
	resolved, fresh := status.GetCondition(v1alpha1.ConditionResolved), status.GetCondition(v1alpha1.ConditionFresh)
	_, requested := entry.RequestedCheck()
	if requested || len(status.Damage(r.now())) > 0 || resolved.IsUnknown() || !fresh.IsTrue() || changed(entry) || status.LastCheckedAt == nil {
		return 0
	}
	if !r.allowed(repository) {
		return 0
	}
	if !resolved.IsTrue() {
		return status.LastCheckedAt.Add(secondLook(entry.Spec.Interval())).Sub(r.now())
	}
	return r.due(entry, status.LastCheckedAt.Time).Sub(r.now())
}

// untilAsked is how long until a registry is asked about an entry: for a regular check, or for signatures between those.
func (r *Reconciler) untilAsked(entry *v1alpha1.CatalogImage, repository name.Repository) time.Duration {
	due := r.untilDue(entry, repository)
	policies, err := r.policies.Selecting(repository, entry.Namespace)
	if err != nil {
		return due
	}
	return min(due, r.untilLook(entry, repository, policies))
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
	adoptAgain, err := r.claims.Adopt(ctx, wanted)
	switch {
	case errors.As(err, &held):
		entry.Status.MarkDuplicate(held.By)
		return secondLook(interval), nil
	case errors.As(err, &pending):
		entry.Status.MarkUniquePending(pending.Error())
		return pending.RetryAfter, nil
	case err != nil:
		entry.Status.MarkUniqueUnknown(err.Error())
		return 0, err
	}
	entry.Status.MarkUnique()
	releaseAgain, err := r.claims.Release(ctx, types.NamespacedName{Namespace: entry.Namespace, Name: entry.Name}, wanted.Identity)
	return soonest(interval, adoptAgain, releaseAgain), err
}

// soonest of an interval and of durations of which zero means never.
func soonest(interval time.Duration, others ...time.Duration) time.Duration {
	for _, other := range others {
		if other > 0 {
			interval = min(interval, other)
		}
	}
	return interval
}

// judgeResolved asks the registry about the image if that is due. It returns when to ask again.
func (r *Reconciler) judgeResolved(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) time.Duration {
	if wait := r.untilDue(entry, ref.Context()); wait > 0 {
		return wait
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	requestedAt, requested := entry.RequestedCheck()
	began := r.now()
	err := r.ask(ctx, entry, ref)
	reason := registry.ReasonOf(err)
	if reason == registry.Busy { // it was not asked: nothing is known that was not before
		if changed(entry) {
			entry.Status.MarkUnchecked()
		}
		return retryAfter(err)
	}
	again := r.conclude(entry, reason, err)
	outcome, message := outcomeOf(entry, err)
	r.metrics.checked(ctx, ref.Context().RegistryStr(), outcome, r.now().Sub(began))
	if requested {
		entry.Status.MarkCheckRequest(requestedAt, outcome, message, r.now())
	}
	return again
}

// conclude writes what a check came to into the status, and returns when to check again.
func (r *Reconciler) conclude(entry *v1alpha1.CatalogImage, reason registry.Reason, err error) time.Duration {
	status, now := &entry.Status, r.now()
	switch {
	case err == nil:
		status.MarkResolved()
		status.MarkChecked(now)
		return r.due(entry, now).Sub(now)
	case reason == registry.NotFound && status.Digest != "":
		status.MarkDeleted(err.Error(), now)
	case reason.Definite():
		status.MarkUnresolved(string(reason), err.Error())
	default:
		status.MarkOutage(cmp.Or(string(reason), reasonNotAsked), err.Error(), now)
		return max(retryInterval, retryAfter(err))
	}
	status.MarkChecked(now)
	return secondLook(entry.Spec.Interval())
}

// reasonNotAsked is that of a check in which the registry was not asked: the API server failed, for example.
const reasonNotAsked = "NotAsked"

// outcomeOf tells who asked for a check what came of it.
func outcomeOf(entry *v1alpha1.CatalogImage, err error) (outcome, message string) {
	if err == nil {
		return string(v1alpha1.ConditionResolved), entry.Status.Digest
	}
	if fresh := entry.Status.GetCondition(v1alpha1.ConditionFresh); fresh.IsFalse() {
		return fresh.Reason, err.Error()
	}
	return reasonOfResolved(&entry.Status), err.Error()
}

// retryAfter is how long the registry, or what is between, wants not to be asked again; zero for no time in particular.
func retryAfter(err error) time.Duration {
	var failure *registry.Error
	if errors.As(err, &failure) {
		return failure.RetryAfter
	}
	return 0
}

// ask brings the status in line with the registry: one HEAD when nothing changed, a description otherwise, or when
// somebody asked for a check.
func (r *Reconciler) ask(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) error {
	keychain, err := r.keychains.For(ctx, entry, ref)
	if err != nil {
		return err
	}
	return explain(r.askWith(ctx, entry, ref, keychain), keychain.Lacks)
}

func (r *Reconciler) askWith(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference, keychain authn.Keychain) error {
	_, requested := entry.RequestedCheck()
	if !requested && !changed(entry) && entry.Status.GetCondition(v1alpha1.ConditionResolved).IsTrue() {
		found, err := r.registry.Head(ctx, ref, keychain)
		if err != nil {
			return err
		}
		if found.Digest == entry.Status.Digest {
			return r.collect(ctx, entry, ref, r.registry, keychain)
		}
	}
	description, err := r.registry.Describe(ctx, ref, keychain)
	if err != nil {
		return err
	}
	listed := &listing{Registry: r.registry, image: ref.Context().Digest(description.Digest)}
	referrers, err := r.referrers(ctx, entry, listed, keychain)
	if err != nil {
		return err
	}
	record(&entry.Status, description, referrers, r.now())
	if requested {
		r.evidences.forget(nameOf(entry))
	}
	return r.collect(ctx, entry, ref, listed, keychain)
}

// explain adds to a lack of access what the entry named in vain.
func explain(err error, lacks []string) error {
	switch registry.ReasonOf(err) {
	case registry.Unauthorized, registry.Forbidden:
		if len(lacks) > 0 {
			return fmt.Errorf("%w; %s", err, strings.Join(lacks, "; "))
		}
	}
	return err
}
