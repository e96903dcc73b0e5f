package catalogimage

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	rtesting "knative.dev/pkg/reconciler/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/registry"
)

func TestFirstCheck(t *testing.T) {
	artifact := &registry.Description{Digest: digestA, MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.acme.disk.v1", SizeBytes: 5}
	reconcileAll(t, map[string]*row{
		"an entry that follows a tag": {
			before:   entry(),
			registry: fakeRegistry{image: single(digestA)},
			after:    entry(observed, resolved, unique, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"a pinned entry": {
			before:   entry(pinned),
			registry: fakeRegistry{image: single(digestA)},
			after:    entry(pinned, observed, resolved, unique, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    interval,
			asked:    []string{"describe quay.io/acme/autosd@" + digestA},
			claimed:  []string{"adopt quay.io/acme/autosd@" + digestA + " for " + key},
		},
		"an index has platforms and no layers": {
			before:   entry(),
			registry: fakeRegistry{image: index(digestA)},
			after:    entry(observed, resolved, unique, describedIndex(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"an artifact may have no date, layer or platform": {
			before:   entry(),
			registry: fakeRegistry{image: artifact},
			after: entry(observed, resolved, unique, checked(0), phase(v1alpha1.PhaseAvailable), func(i *v1alpha1.CatalogImage) {
				i.Status.Digest, i.Status.MediaType, i.Status.ArtifactType, i.Status.SizeBytes = digestA, artifact.MediaType, artifact.ArtifactType, 5
			}),
			again:   interval,
			asked:   []string{"describe " + reference},
			claimed: []string{adopts},
		},
		"an interval of its own": {
			before:   entry(every(5 * time.Minute)),
			registry: fakeRegistry{image: single(digestA)},
			after:    entry(every(5*time.Minute), observed, resolved, unique, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    5 * time.Minute,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"a reference that is none": {
			before: entry(image("UPPER/case:1")),
			after: entry(image("UPPER/case:1"), observed, phase(v1alpha1.PhaseFailed), func(i *v1alpha1.CatalogImage) {
				i.Status.MarkUnresolved("InvalidReference", "parsing spec.image: could not parse reference: UPPER/case:1")
			}),
		},
	})
}

func TestWhenNothingIsDue(t *testing.T) {
	reconcileAll(t, map[string]*row{
		"checked lately":         {before: available(sinceChecked), again: interval - sinceChecked},
		"found absent lately":    {before: entry(observed, unresolved(registry.NotFound), unique, checked(time.Minute), phase(v1alpha1.PhaseFailed)), again: sooner - time.Minute},
		"a duplicate of lately":  {before: available(time.Minute, duplicateOf("other"), phase(v1alpha1.PhaseFailed)), again: sooner - time.Minute},
		"an interval of its own": {before: available(sinceChecked, every(11*time.Minute)), again: time.Minute},
	})
}

func TestRecheck(t *testing.T) {
	newer := single(digestB)
	reconcileAll(t, map[string]*row{
		"an unchanged image costs one HEAD": {
			before:   available(interval),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
		},
		"a tag that moved is described": {
			before:   available(interval),
			registry: fakeRegistry{image: newer},
			after:    available(0, describedSingle(digestB)),
			again:    interval,
			asked:    []string{"head " + reference, "describe " + reference},
			claimed:  []string{adopts},
		},
		"an index in place of an image": {
			before:   available(interval),
			registry: fakeRegistry{image: index(digestB)},
			after:    available(0, describedIndex(digestB)),
			again:    interval,
			asked:    []string{"head " + reference, "describe " + reference},
			claimed:  []string{adopts},
		},
		"a changed spec is checked at once, and other claims go": {
			before:   available(sinceChecked, changedSpec),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0, changedSpec, observed),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		},
		"an entry of another image forgets the one before": {
			before:   available(sinceChecked, changedSpec, speaksOf("quay.io/acme/autosd:0")),
			registry: fakeRegistry{err: answer(registry.NotFound)},
			after:    entry(changedSpec, observed, unresolved(registry.NotFound), unique, checked(0), phase(v1alpha1.PhaseFailed)),
			again:    sooner,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		},
		"an absent image may have been pushed": {
			before:   entry(observed, unresolved(registry.NotFound), unique, checked(interval), phase(v1alpha1.PhaseFailed)),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"after an outage it does not wait for the interval": {
			before:   available(sinceChecked, resolvedUnknown("Throttled", "later"), phase(v1alpha1.PhaseUnavailable)),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"a status without the time of its check": {
			before:   available(0, func(i *v1alpha1.CatalogImage) { i.Status.LastCheckedAt = nil }),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
		},
	})
}

func TestDefiniteAnswers(t *testing.T) {
	rows := map[string]*row{}
	for _, reason := range []registry.Reason{registry.NotFound, registry.DigestMismatch, registry.Incomplete, registry.Malformed, registry.TooLarge} {
		rows["never resolved, "+string(reason)] = &row{
			before:   entry(),
			registry: fakeRegistry{err: answer(reason)},
			after:    entry(observed, unresolved(reason), unique, checked(0), phase(v1alpha1.PhaseFailed)),
			again:    sooner,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		}
		rows["resolved before, "+string(reason)] = &row{
			before:   available(interval),
			registry: fakeRegistry{err: answer(reason)},
			after:    available(0, unresolved(reason), phase(v1alpha1.PhaseUnavailable)), // what it was is kept
			again:    sooner,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
		}
	}
	reconcileAll(t, rows)
}

func TestNoAnswer(t *testing.T) {
	rows := map[string]*row{}
	for _, reason := range []registry.Reason{registry.Unauthorized, registry.Forbidden, registry.Throttled, registry.TLSError, registry.RegistryUnavailable} {
		unknown := resolvedUnknown(string(reason), answer(reason).Error())
		rows["never resolved, "+string(reason)] = &row{
			before:   entry(),
			registry: fakeRegistry{err: answer(reason)},
			after:    entry(observed, unknown, unique, phase(v1alpha1.PhaseVerifying)),
			again:    retryInterval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		}
		rows["resolved before, "+string(reason)] = &row{
			before:   available(interval),
			registry: fakeRegistry{err: answer(reason)},
			after:    available(interval, unknown, phase(v1alpha1.PhaseUnavailable)), // and the time of the last answer
			again:    retryInterval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
		}
	}
	unreadable := errors.New("reading the pull secrets of radar/autosd: forbidden")
	rows["the pull secrets cannot be read"] = &row{
		before:    entry(),
		keychains: fakeKeychains{unreadable},
		after:     entry(observed, resolvedUnknown("NotAsked", unreadable.Error()), unique, phase(v1alpha1.PhaseVerifying)),
		again:     retryInterval,
		claimed:   []string{adopts},
	}
	rows["an error of unknown origin"] = &row{
		before:   entry(),
		registry: fakeRegistry{err: context.DeadlineExceeded},
		after:    entry(observed, resolvedUnknown("NotAsked", "context deadline exceeded"), unique, phase(v1alpha1.PhaseVerifying)),
		again:    retryInterval,
		asked:    []string{"describe " + reference},
		claimed:  []string{adopts},
	}
	assert.LessOrEqual(t, retryInterval, 30*time.Second)
	reconcileAll(t, rows)
}

func TestClaims(t *testing.T) {
	mine := claim.Claim{Namespace: "radar", Holder: "autosd", Identity: reference}
	pending := &claim.PendingError{Claim: mine, By: "other", RetryAfter: 7 * time.Second}
	longer := &claim.PendingError{Claim: mine, By: "other", RetryAfter: 50 * time.Second}
	down := errors.New("connection refused")
	found := fakeRegistry{image: single(digestA)}
	reconcileAll(t, map[string]*row{
		"another entry has the claim": {
			before:   entry(),
			registry: found,
			claims:   fakeClaims{adopting: &claim.HeldError{Claim: mine, By: "other"}},
			after:    available(0, duplicateOf("other"), phase(v1alpha1.PhaseFailed)),
			again:    sooner,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"another entry may be about to be stored": {
			before:   available(interval),
			registry: found,
			claims:   fakeClaims{adopting: pending},
			after:    available(0, uniquePending(pending), phase(v1alpha1.PhaseUnavailable)),
			again:    7 * time.Second,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
		},
		"a claim that was pending is judged when its time has come": {
			before:   available(sinceChecked, uniquePending(pending), phase(v1alpha1.PhaseUnavailable)),
			registry: found,
			after:    available(0),
			again:    interval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
		},
		"the registry is retried before a claim that is pending for longer": {
			before:   entry(),
			registry: fakeRegistry{err: answer(registry.Throttled)},
			claims:   fakeClaims{adopting: longer},
			after: entry(observed, uniquePending(longer),
				resolvedUnknown("Throttled", answer(registry.Throttled).Error()), phase(v1alpha1.PhaseVerifying)),
			again:   retryInterval,
			asked:   []string{"describe " + reference},
			claimed: []string{adopts},
		},
		"the claim cannot be read": {
			before:   available(interval),
			registry: found,
			claims:   fakeClaims{adopting: down},
			after:    available(0, uniqueUnknown("connection refused"), phase(v1alpha1.PhaseUnavailable)),
			err:      down,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
			events:   []string{rtesting.Eventf(corev1.EventTypeWarning, "InternalError", "connection refused")},
		},
		"other claims cannot be released": {
			before:   available(sinceChecked, changedSpec),
			registry: found,
			claims:   fakeClaims{releasing: down},
			after:    available(0, changedSpec, observed, uniqueUnknown("connection refused"), phase(v1alpha1.PhaseUnavailable)),
			err:      down,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
			events:   []string{rtesting.Eventf(corev1.EventTypeWarning, "InternalError", "connection refused")},
		},
		"they are released at the next check": {
			before:   available(0, uniqueUnknown("connection refused"), phase(v1alpha1.PhaseUnavailable)),
			registry: found,
			after:    available(0),
			again:    interval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
		},
	})
}

func TestAnEntryThatIsGone(t *testing.T) {
	down := errors.New("connection refused")
	reconcileAll(t, map[string]*row{
		"its claims go":                 {claimed: []string{"release all of " + key}},
		"its claims cannot be released": {claims: fakeClaims{releasing: down}, claimed: []string{"release all of " + key}, err: down},
	})
}
