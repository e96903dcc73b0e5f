package claim

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// Grace is how long a pending claim is honoured. A write may live 34 seconds in the API server (its request
// timeout); the rest allows for clocks that differ.
const Grace = time.Minute

// attempts bounds the races that one take may lose to others before it gives up; each lost race is another's win.
const attempts = 8

// Entries reads entries from the API server, not from a cache.
type Entries interface {
	// Identity of the image that the entry has now; "" when there is no such entry or it is being deleted.
	Identity(ctx context.Context, namespace, name string) (string, error)
}

// Keeper takes, adopts and releases claims.
type Keeper struct {
	leases  coordinationclient.LeaseInterface
	entries Entries
	now     func() time.Time
}

// NewKeeper keeps claims as leases in one namespace, judged by what entries says.
func NewKeeper(leases coordinationclient.LeaseInterface, entries Entries) *Keeper {
	return &Keeper{leases: leases, entries: entries, now: time.Now}
}

// Take makes the claim pending for its holder. The error is a *HeldError or a *PendingError when another entry has
// it, else what the API server said.
func (k *Keeper) Take(ctx context.Context, claim Claim) error {
	return k.change(ctx, claim, pending)
}

// Check says what Take would say, and changes nothing.
func (k *Keeper) Check(ctx context.Context, claim Claim) error {
	lease, err := k.leases.Get(ctx, claim.leaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the claim on %s: %w", claim.Identity, err)
	}
	return k.mayTake(ctx, claim, lease)
}

// Adopt makes the claim adopted for an entry that is stored; it heals a claim that was lost. The error is as Take's.
func (k *Keeper) Adopt(ctx context.Context, claim Claim) error {
	return k.change(ctx, claim, adopted)
}

func (k *Keeper) change(ctx context.Context, claim Claim, to state) error {
	for range attempts {
		err := k.try(ctx, claim, to)
		if !lostRace(err) {
			return err
		}
	}
	return fmt.Errorf("claiming %s: lost %d races for it; try again", claim.Identity, attempts)
}

func lostRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

func (k *Keeper) try(ctx context.Context, claim Claim, to state) error {
	lease, err := k.leases.Get(ctx, claim.leaseName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: claim.leaseName()}}
		k.write(lease, claim, to)
		_, err = k.leases.Create(ctx, lease, metav1.CreateOptions{})
		return err
	case err != nil:
		return fmt.Errorf("reading the claim on %s: %w", claim.Identity, err)
	}
	if to == adopted && holder(lease) == claim.Holder && isAdopted(lease) {
		return nil
	}
	if err := k.mayTake(ctx, claim, lease); err != nil {
		return err
	}
	k.write(lease, claim, to)
	_, err = k.leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// mayTake judges a claim that somebody holds.
func (k *Keeper) mayTake(ctx context.Context, claim Claim, lease *coordinationv1.Lease) error {
	other := holder(lease)
	if other == claim.Holder {
		return nil // a retry, or a new entry under the old name
	}
	identity, err := k.entries.Identity(ctx, claim.Namespace, other)
	if err != nil {
		return fmt.Errorf("reading the entry %q, which holds the claim on %s: %w", other, claim.Identity, err)
	}
	if identity == claim.Identity {
		return &HeldError{Claim: claim, By: other}
	}
	if left := Grace - k.age(lease); !isAdopted(lease) && left > 0 {
		return &PendingError{Claim: claim, By: other, RetryAfter: left.Truncate(time.Second) + time.Second}
	}
	return nil
}

// ReleaseAll deletes the adopted claims of an entry, except the one that keep names ("" for none). It is how claims
// end when their entry is deleted or becomes one of another image. A claim that changes meanwhile is left alone.
func (k *Keeper) ReleaseAll(ctx context.Context, namespace, entry, keep string) error {
	held, err := k.leases.List(ctx, metav1.ListOptions{LabelSelector: HolderLabel + "=" + holderHash(namespace, entry)})
	if err != nil {
		return fmt.Errorf("listing the claims of %s/%s: %w", namespace, entry, err)
	}
	kept := Claim{Namespace: namespace, Identity: keep}.leaseName()
	var errs []error
	for n := range held.Items {
		if lease := &held.Items[n]; lease.Name != kept && isAdopted(lease) {
			errs = append(errs, k.release(ctx, lease))
		}
	}
	return errors.Join(errs...)
}

func (k *Keeper) release(ctx context.Context, lease *coordinationv1.Lease) error {
	err := k.leases.Delete(ctx, lease.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func (k *Keeper) age(lease *coordinationv1.Lease) time.Duration {
	if lease.Spec.AcquireTime == nil {
		return Grace // nobody who takes a claim leaves this out
	}
	return k.now().Sub(lease.Spec.AcquireTime.Time)
}
