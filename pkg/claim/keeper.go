package claim

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// Grace is how long a pending claim is honoured. A write may live 34 seconds in the API server (its request
// timeout); the rest allows for clocks that differ.
const Grace = time.Minute

// attempts bounds the races that one take may lose to others before it gives up; each lost race is another's win.
const attempts = 8

// errLostRace says that a claim changed between reading and writing it.
var errLostRace = errors.New("the claim changed meanwhile")

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
	err := k.create(ctx, claim, pending) // most images are published once: one request instead of two
	if !errors.Is(err, errLostRace) {
		return err
	}
	return k.untilWon(claim, func() error { return k.take(ctx, claim) })
}

func (k *Keeper) take(ctx context.Context, claim Claim) error {
	lease, err := k.get(ctx, claim)
	if err != nil {
		return err
	}
	if lease == nil {
		return k.create(ctx, claim, pending)
	}
	if err := k.mayTake(ctx, claim, lease); err != nil {
		return err
	}
	if k.othersUnderWay(claim, lease) {
		claim.UID = ""
	}
	return k.update(ctx, claim, lease, pending)
}

// othersUnderWay says whether a write under the same name and another UID took the claim, and may still come.
func (k *Keeper) othersUnderWay(claim Claim, lease *coordinationv1.Lease) bool {
	return holder(lease) == claim.Holder && !IsAdopted(lease) && UID(lease) != claim.UID && k.graceLeft(lease) > 0
}

// Check says what Take would say, and changes nothing.
func (k *Keeper) Check(ctx context.Context, claim Claim) error {
	lease, err := k.get(ctx, claim)
	if err != nil || lease == nil {
		return err
	}
	return k.mayTake(ctx, claim, lease)
}

// Adopt makes the claim adopted for an entry that is stored; it heals a claim that was lost or forged. The error is
// as Take's. Without one the entry has the claim; a duration above zero is when to adopt it again, because another
// write under the entry's name may be under way.
//
// The claim need not be read when known is how it was at some time, from a cache for example, and it was the entry's own:
// it is written only if it is that still. Without known it is read.
func (k *Keeper) Adopt(ctx context.Context, claim Claim, known *coordinationv1.Lease) (again time.Duration, err error) {
	if known != nil && holder(known) != claim.Holder {
		known = nil // what others hold is judged as it is now
	}
	err = k.untilWon(claim, func() error {
		again, err = k.adopt(ctx, claim, known)
		known = nil
		return err
	})
	return again, err
}

func (k *Keeper) adopt(ctx context.Context, claim Claim, known *coordinationv1.Lease) (time.Duration, error) {
	lease, err := known.DeepCopy(), error(nil)
	if lease == nil {
		lease, err = k.get(ctx, claim)
	}
	switch {
	case err != nil:
		return 0, err
	case lease != nil && claim.InOrder(lease):
		return 0, nil
	case lease != nil:
		if err := k.mayTake(ctx, claim, lease); err != nil {
			return 0, err
		}
	}
	live, err := k.live(ctx, claim.Namespace, claim.Holder, claim.Identity)
	if err != nil || live.Identity != claim.Identity {
		return 0, err // what the caller has seen is over; there is nothing to adopt
	}
	if lease == nil {
		return 0, k.create(ctx, live, adopted)
	}
	if k.othersUnderWay(live, lease) {
		return k.graceLeft(lease), nil
	}
	return 0, k.update(ctx, live, lease, adopted)
}

// mayTake judges a claim that somebody holds.
func (k *Keeper) mayTake(ctx context.Context, claim Claim, lease *coordinationv1.Lease) error {
	other := holder(lease)
	if other == claim.Holder || other == "" {
		return nil // a retry, or a new entry under the old name
	}
	live, err := k.live(ctx, claim.Namespace, other, claim.Identity)
	if err != nil {
		return err
	}
	if live.Identity == claim.Identity {
		return &HeldError{Claim: claim, By: other}
	}
	if left := k.graceLeft(lease); !IsAdopted(lease) && left > 0 {
		return &PendingError{Claim: claim, By: other, RetryAfter: left.Truncate(time.Second) + time.Second}
	}
	return nil
}

// Release deletes those of an entry's claims that no entry matches any more, except the one on the identity keep
// ("" for none). It is how claims end when their entry is deleted, becomes one of another image, or was never stored.
// The claims are given as they were read, from a cache too: one that has changed since is left alone. gone is the UID
// of an entry of that name that was stored and is deleted, "" if none is known: its create is no longer under way. A
// duration above zero is when to release again, because a write may be under way.
func (k *Keeper) Release(ctx context.Context, held []*coordinationv1.Lease, entry types.NamespacedName, keep string, gone types.UID) (again time.Duration, err error) {
	kept := Claim{Namespace: entry.Namespace, Identity: keep}.LeaseName()
	var errs []error
	for _, lease := range held {
		left := k.graceLeft(lease)
		over := IsAdopted(lease) || left <= 0 || (gone != "" && UID(lease) == gone)
		switch {
		case lease.Name == kept, Holder(lease) != entry: // filed under the wrong name, it is another's
		case over:
			errs = append(errs, k.release(ctx, lease, entry))
		case again == 0 || left < again:
			again = left
		}
	}
	return again, errors.Join(errs...)
}

func (k *Keeper) release(ctx context.Context, lease *coordinationv1.Lease, entry types.NamespacedName) error {
	live, err := k.live(ctx, entry.Namespace, entry.Name, lease.Annotations[IdentityAnnotation])
	if err != nil || live.LeaseName() == lease.Name {
		return err
	}
	err = k.leases.Delete(ctx, lease.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// live is the claim of an entry as it is now.
func (k *Keeper) live(ctx context.Context, namespace, name, identity string) (Claim, error) {
	live, err := k.entries.Claim(ctx, namespace, name)
	if err != nil {
		return Claim{}, fmt.Errorf("reading the entry %q, which holds the claim on %s: %w", name, identity, err)
	}
	return live, nil
}

func (k *Keeper) untilWon(claim Claim, try func() error) error {
	for range attempts {
		if err := try(); !errors.Is(err, errLostRace) {
			return err
		}
	}
	return fmt.Errorf("claiming %s: lost %d races for it; try again", claim.Identity, attempts)
}

// get returns nil when nobody has the claim.
func (k *Keeper) get(ctx context.Context, claim Claim) (*coordinationv1.Lease, error) {
	lease, err := k.leases.Get(ctx, claim.LeaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the claim on %s: %w", claim.Identity, err)
	}
	return lease, nil
}

func (k *Keeper) create(ctx context.Context, claim Claim, to state) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: claim.LeaseName()}}
	k.write(lease, claim, to)
	_, err := k.leases.Create(ctx, lease, metav1.CreateOptions{})
	return outcome(err, claim, apierrors.IsAlreadyExists)
}

func (k *Keeper) update(ctx context.Context, claim Claim, lease *coordinationv1.Lease, to state) error {
	k.write(lease, claim, to)
	_, err := k.leases.Update(ctx, lease, metav1.UpdateOptions{})
	return outcome(err, claim, apierrors.IsConflict, apierrors.IsNotFound)
}

func outcome(err error, claim Claim, lost ...func(error) bool) error {
	if err == nil {
		return nil
	}
	for _, is := range lost {
		if is(err) {
			return errLostRace
		}
	}
	return fmt.Errorf("writing the claim on %s: %w", claim.Identity, err)
}

// graceLeft is how long a pending claim is still honoured; zero or less when it is not.
func (k *Keeper) graceLeft(lease *coordinationv1.Lease) time.Duration {
	return GraceLeft(lease, k.now())
}

// GraceLeft is how long a claim is honoured if it is pending; zero or less when it is not. A time that is missing, or
// further ahead than clocks may differ, was forged.
func GraceLeft(lease *coordinationv1.Lease, now time.Time) time.Duration {
	if lease.Spec.AcquireTime == nil {
		return 0
	}
	left := Grace - now.Sub(lease.Spec.AcquireTime.Time)
	if left > 2*Grace {
		return 0
	}
	return left
}
