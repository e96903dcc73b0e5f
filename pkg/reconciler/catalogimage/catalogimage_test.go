package catalogimage

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/registry"
)

func TestFirstCheck(t *testing.T) {
	artifact := &registry.Description{Digest: digestA, MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.acme.disk.v1", SizeBytes: 5, Files: []registry.File{
		{Name: "disk.raw", MediaType: "application/zstd", URL: "https://quay.io/v2/b", Digest: digestB, SizeBytes: 5, Architecture: "arm64"},
	}}
	reconcileAll(t, map[string]*row{
		"an entry that follows a tag": {
			before:   entry(),
			registry: fakeRegistry{image: single(digestA)},
			after:    entry(observed, resolved, unique, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		},
		"a pinned entry": {
			before:   entry(pinned),
			registry: fakeRegistry{image: single(digestA)},
			after:    entry(pinned, observed, resolved, unique, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    interval,
			asked:    []string{"describe quay.io/acme/autosd@" + digestA},
			claimed:  []string{"adopt quay.io/acme/autosd@" + digestA + " for " + key, "release all of " + key + " but quay.io/acme/autosd@" + digestA},
		},
		"an index has platforms and no layers": {
			before:   entry(),
			registry: fakeRegistry{image: index(digestA)},
			after:    entry(observed, resolved, unique, describedIndex(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		},
		"an artifact may have no date, layer or platform": {
			before:   entry(),
			registry: fakeRegistry{image: artifact},
			after: entry(observed, resolved, unique, checked(0), phase(v1alpha1.PhaseAvailable), func(i *v1alpha1.CatalogImage) {
				i.Status.MarkDigest(digestA, now)
				i.Status.MediaType, i.Status.ArtifactType, i.Status.SizeBytes = artifact.MediaType, artifact.ArtifactType, 5
				i.Status.Artifacts = []v1alpha1.Artifact{{Name: "disk.raw", Type: "application/zstd", URL: "https://quay.io/v2/b", Digest: digestB, SizeBytes: 5, Architecture: "arm64"}}
				i.Status.MarkMetadataMatches()
			}),
			again:   interval,
			asked:   []string{"describe " + reference},
			claimed: []string{adopts, releases},
		},
		"an interval of its own": {
			before:   entry(every(5 * time.Minute)),
			registry: fakeRegistry{image: single(digestA)},
			after:    entry(every(5*time.Minute), observed, resolved, unique, describedSingle(digestA), checked(0), phase(v1alpha1.PhaseAvailable)),
			again:    5 * time.Minute,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		},
		"a reference that is none": {
			before: entry(image("UPPER/case:1")),
			after: entry(image("UPPER/case:1"), observed, phase(v1alpha1.PhaseFailed), func(i *v1alpha1.CatalogImage) {
				i.Status.Conditions = nil
				i.GetConditionSet().Manage(&i.Status).InitializeConditions()
				i.Status.MarkUnresolved("InvalidReference", reasonOf(t, "UPPER/case:1"))
			}),
		},
	})
}

// reasonOf is why a reference is none.
func reasonOf(t *testing.T, image string) string {
	t.Helper()
	_, err := (&v1alpha1.CatalogImageSpec{Image: image}).Reference()
	require.Error(t, err)
	return err.Error()
}

func TestWhenNothingIsDue(t *testing.T) {
	rows := map[string]*row{
		"checked lately":         {before: available(sinceChecked), again: interval - sinceChecked},
		"found absent lately":    {before: entry(observed, unresolved(registry.NotFound), unique, checked(time.Minute), phase(v1alpha1.PhaseFailed)), again: sooner - time.Minute},
		"an interval of its own": {before: available(sinceChecked, every(11*time.Minute)), again: time.Minute},
		"a claim that cannot be adopted yet": {
			before: available(sinceChecked), claims: fakeClaims{adoptingAgain: 40 * time.Second}, again: 40 * time.Second,
		},
		"a claim that cannot be released yet": {
			before: available(sinceChecked), claims: fakeClaims{releasingAgain: 50 * time.Second, adoptingAgain: time.Minute}, again: 50 * time.Second,
		},
		"the other of two duplicates went": {
			before: available(time.Minute, duplicateOf("other"), phase(v1alpha1.PhaseFailed)),
			after:  available(time.Minute),
			again:  interval - time.Minute,
		},
		"a claim that was pending has its time": {
			before: available(sinceChecked, uniquePending(&claim.PendingError{By: "other"}), phase(v1alpha1.PhaseUnavailable)),
			after:  available(sinceChecked),
			again:  interval - sinceChecked,
		},
	}
	for _, r := range rows {
		r.claimed = []string{adopts, releases} // which costs nothing when claims are in order
	}
	reconcileAll(t, rows)
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
			claimed:  []string{adopts, releases},
		},
		"a tag that moved is described": {
			before:   available(interval),
			registry: fakeRegistry{image: newer},
			after:    available(0, describedSingle(digestB)),
			again:    interval,
			asked:    []string{"head " + reference, "describe " + reference},
			claimed:  []string{adopts, releases},
			events:   []string{normal(eventDrift, "the tag was moved from "+digestA+" to "+digestB)},
		},
		"an index in place of an image": {
			before:   available(interval),
			registry: fakeRegistry{image: index(digestB)},
			after:    available(0, describedIndex(digestB)),
			again:    interval,
			asked:    []string{"head " + reference, "describe " + reference},
			claimed:  []string{adopts, releases},
			events:   []string{normal(eventDrift, "the tag was moved from "+digestA+" to "+digestB)},
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
			after:    entry(changedSpec, ended(v1alpha1.CauseSpecChanged), observed, unresolved(registry.NotFound), unique, checked(0), phase(v1alpha1.PhaseFailed)),
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
			claimed:  []string{adopts, releases},
		},
		"in an outage's grace it does not wait for the interval": {
			before:   available(sinceChecked, outage("Throttled", "later", time.Minute)),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
			events:   []string{normal(eventRecovered, "the registry has it as described again: "+digestA)},
		},
		"after an outage it does not wait for the interval": {
			before:   available(sinceChecked, outage("Throttled", "later", v1alpha1.OutageGrace), phase(v1alpha1.PhaseUnavailable)),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
			events:   []string{normal(eventRecovered, "the registry has it as described again: "+digestA)},
		},
		"a status without the time of its check": {
			before:   available(0, func(i *v1alpha1.CatalogImage) { i.Status.LastCheckedAt = nil }),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
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
			claimed:  []string{adopts, releases},
		}
		rows["resolved before, "+string(reason)] = &row{
			before:   available(interval),
			registry: fakeRegistry{err: answer(reason)},
			after:    available(0, unresolved(reason), phase(v1alpha1.PhaseUnavailable)), // what it was is kept
			again:    sooner,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
		}
	}
	wasDeleted := rows["resolved before, NotFound"]
	wasDeleted.after = available(0, deleted, phase(v1alpha1.PhaseUnavailable))
	wasDeleted.events = []string{warning(eventImageDeleted, "the registry has "+digestA+" no more")}
	rows["deleted before"] = &row{
		before:   available(interval, deleted, phase(v1alpha1.PhaseUnavailable)),
		registry: fakeRegistry{err: answer(registry.NotFound)},
		after:    available(0, deleted, phase(v1alpha1.PhaseUnavailable)), // which is one event, and one end in the history
		again:    sooner,
		asked:    []string{"describe " + reference},
		claimed:  []string{adopts, releases},
	}
	rows["pushed again"] = &row{
		before:   available(interval, deleted, phase(v1alpha1.PhaseUnavailable)),
		registry: fakeRegistry{image: single(digestA)},
		after:    available(0, deleted, resolved, describedSingle(digestA)),
		again:    interval,
		asked:    []string{"describe " + reference},
		claimed:  []string{adopts, releases},
		events:   []string{normal(eventRecovered, "the registry has it as described again: "+digestA)},
	}
	reconcileAll(t, rows)
}

func deleted(i *v1alpha1.CatalogImage) {
	i.Status.MarkDeleted(answer(registry.NotFound).Error(), now)
}

// ended is what is left in the history of digestA.
func ended(cause v1alpha1.HistoryCause) option {
	return func(i *v1alpha1.CatalogImage) {
		at := metav1.NewTime(now)
		i.Status.History = []v1alpha1.DigestPeriod{{Digest: digestA, From: &at, To: at, Cause: cause}}
	}
}

func TestChecksThatAreAskedFor(t *testing.T) {
	asking := func(i *v1alpha1.CatalogImage) {
		i.Annotations = map[string]string{v1alpha1.CheckRequestedAtAnnotation: "2026-11-21T10:29:59Z"}
	}
	answered := func(outcome, message string) option {
		return func(i *v1alpha1.CatalogImage) {
			i.Status.MarkCheckRequest("2026-11-21T10:29:59Z", outcome, message, now)
		}
	}
	down := answer(registry.RegistryUnavailable)
	rows := map[string]*row{
		"are made at once, in full": {
			before:   available(sinceChecked, asking),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0, asking, answered("Resolved", digestA)),
			again:    interval,
			asked:    []string{"describe " + reference},
		},
		"are made once": {before: available(sinceChecked, asking, answered("Resolved", digestA)), again: interval - sinceChecked},
		"have a bad verdict as their outcome": {
			before:   available(sinceChecked, asking),
			registry: fakeRegistry{err: answer(registry.DigestMismatch)},
			after:    available(0, asking, unresolved(registry.DigestMismatch), answered("DigestMismatch", answer(registry.DigestMismatch).Error()), phase(v1alpha1.PhaseUnavailable)),
			again:    sooner,
			asked:    []string{"describe " + reference},
		},
		"have an outage as their outcome, whatever stands in its grace": {
			before:   available(sinceChecked, asking),
			registry: fakeRegistry{err: down},
			after:    available(sinceChecked, asking, outage("RegistryUnavailable", down.Error(), 0), answered("RegistryUnavailable", down.Error())),
			again:    retryInterval,
			asked:    []string{"describe " + reference},
		},
		"have none as long as nobody was asked": {
			before:   available(sinceChecked, asking),
			registry: fakeRegistry{err: &registry.Error{Reason: registry.Busy, Err: errors.New("busy"), RetryAfter: time.Second}},
			again:    time.Second,
			asked:    []string{"describe " + reference},
		},
	}
	for _, r := range rows {
		r.claimed = []string{adopts, releases}
	}
	reconcileAll(t, rows)
}

// A status that nobody can have written is found out anew, whenever the next check is due.
func TestDamagedStatus(t *testing.T) {
	rows := map[string]*row{}
	for field, damage := range map[string]option{
		"status.digest":        func(i *v1alpha1.CatalogImage) { i.Status.Digest = "nonsense" },
		"status.lastCheckedAt": func(i *v1alpha1.CatalogImage) { i.Status.MarkChecked(now.Add(time.Hour)) },
		"status.sizeBytes":     func(i *v1alpha1.CatalogImage) { i.Status.SizeBytes = -1 },
		"status.layerCount":    func(i *v1alpha1.CatalogImage) { i.Status.LayerCount = 0 },
		"status.conditions":    func(i *v1alpha1.CatalogImage) { i.Status.Conditions[0].Status = "Maybe" },
		"status.platforms":     func(i *v1alpha1.CatalogImage) { i.Status.Damaged = []string{"status.platforms"} },
	} {
		rows[field] = &row{
			before:   available(sinceChecked, damage),
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
			events:   []string{warning(eventStatusRepaired, "the status is found out anew; damaged: "+field)},
		}
	}
	history := ended(v1alpha1.CauseTagMoved)
	rows["what can be of the history is kept"] = &row{
		before: available(sinceChecked, history, func(i *v1alpha1.CatalogImage) {
			i.Status.History = append(i.Status.History, v1alpha1.DigestPeriod{Digest: "nonsense"})
		}),
		registry: fakeRegistry{image: single(digestA)},
		after:    available(0, history),
		again:    interval,
		asked:    []string{"describe " + reference},
		claimed:  []string{adopts, releases},
		events:   []string{warning(eventStatusRepaired, "the status is found out anew; damaged: status.history")},
	}
	reconcileAll(t, rows)
}

func TestNoAnswer(t *testing.T) {
	rows := map[string]*row{}
	for _, reason := range []registry.Reason{registry.Unauthorized, registry.Forbidden, registry.Throttled, registry.TLSError, registry.Blocked, registry.RegistryUnavailable} {
		begins := outage(string(reason), answer(reason).Error(), 0)
		rows["never resolved, "+string(reason)] = &row{
			before:   entry(),
			registry: fakeRegistry{err: answer(reason)},
			after:    entry(observed, unique, begins, phase(v1alpha1.PhaseVerifying)),
			again:    retryInterval,
			asked:    []string{"describe " + reference},
		}
		rows["resolved before, "+string(reason)] = &row{
			before:   available(interval),
			registry: fakeRegistry{err: answer(reason)},
			after:    available(interval, begins), // the verdict and its time stay
			again:    retryInterval,
			asked:    []string{"head " + reference},
		}
		lasting := outage(string(reason), answer(reason).Error(), v1alpha1.OutageGrace)
		rows["resolved before the grace, "+string(reason)] = &row{
			before:   available(2*interval, outageBegan(v1alpha1.OutageGrace)),
			registry: fakeRegistry{err: answer(reason)},
			after:    available(2*interval, lasting, phase(v1alpha1.PhaseUnavailable)),
			again:    retryInterval,
			asked:    []string{"head " + reference},
		}
	}
	blocks := answer(registry.Blocked)
	rows["checked just now, and not allowed any more"] = &row{
		before:   available(sinceChecked),
		blocked:  true,
		registry: fakeRegistry{err: blocks},
		after:    available(sinceChecked, outage("Blocked", blocks.Error(), 0)),
		again:    retryInterval,
		asked:    []string{"head " + reference},
	}
	unreadable := errors.New("reading the pull secrets of radar/autosd: forbidden")
	rows["the pull secrets cannot be read"] = &row{
		before:    entry(),
		keychains: fakeKeychains{err: unreadable},
		after:     entry(observed, unique, outage("NotAsked", unreadable.Error(), 0), phase(v1alpha1.PhaseVerifying)),
		again:     retryInterval,
	}
	rows["an error of unknown origin"] = &row{
		before:   entry(),
		registry: fakeRegistry{err: context.DeadlineExceeded},
		after:    entry(observed, unique, outage("NotAsked", "context deadline exceeded", 0), phase(v1alpha1.PhaseVerifying)),
		again:    retryInterval,
		asked:    []string{"describe " + reference},
	}
	for _, r := range rows {
		r.claimed = []string{adopts, releases}
	}
	assert.LessOrEqual(t, retryInterval, 30*time.Second)
	reconcileAll(t, rows)
}

func TestWhenARegistryIsNotToBeAsked(t *testing.T) {
	later := func(reason registry.Reason, after time.Duration) *registry.Error {
		err := answer(reason)
		err.RetryAfter = after
		return err
	}
	throttled := outage("Throttled", answer(registry.Throttled).Error(), 0)
	reconcileAll(t, map[string]*row{
		"others are being asked about, and nothing was found yet": {
			before:   entry(),
			registry: fakeRegistry{err: later(registry.Busy, 700*time.Millisecond)},
			after:    entry(observed, unique, phase(v1alpha1.PhasePending)),
			again:    700 * time.Millisecond,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		},
		"others are being asked about, and nothing changes": {
			before:   available(interval),
			registry: fakeRegistry{err: later(registry.Busy, 2*time.Minute)},
			again:    2 * time.Minute,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
		},
		"it says for how long": {
			before:   available(interval),
			registry: fakeRegistry{err: later(registry.Throttled, 10*time.Minute)},
			after:    available(interval, throttled),
			again:    10 * time.Minute,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
		},
		"not for long": {
			before:   available(interval),
			registry: fakeRegistry{err: later(registry.Throttled, time.Second)},
			after:    available(interval, throttled),
			again:    retryInterval,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts, releases},
		},
	})
}

func TestSecretsThatAreOfNoUse(t *testing.T) {
	lacks := fakeKeychains{lacks: []string{"the secret radar/quay does not exist", "the service account radar/puller does not exist"}}
	explained := answer(registry.Unauthorized).Error() + "; the secret radar/quay does not exist; the service account radar/puller does not exist"
	reconcileAll(t, map[string]*row{
		"are named when the registry wants one": {
			before:    entry(),
			keychains: lacks,
			registry:  fakeRegistry{err: answer(registry.Unauthorized)},
			after:     entry(observed, unique, outage("Unauthorized", explained, 0), phase(v1alpha1.PhaseVerifying)),
			again:     retryInterval,
			asked:     []string{"describe " + reference},
			claimed:   []string{adopts, releases},
		},
		"are not when it does not": {
			before:    entry(),
			keychains: lacks,
			registry:  fakeRegistry{image: single(digestA)},
			after:     available(0),
			again:     interval,
			asked:     []string{"describe " + reference},
			claimed:   []string{adopts, releases},
		},
		"nor when something else is wrong": {
			before:    entry(),
			keychains: lacks,
			registry:  fakeRegistry{err: answer(registry.NotFound)},
			after:     entry(observed, unresolved(registry.NotFound), unique, checked(0), phase(v1alpha1.PhaseFailed)),
			again:     sooner,
			asked:     []string{"describe " + reference},
			claimed:   []string{adopts, releases},
		},
	})
}

func TestReferrers(t *testing.T) {
	signature := registry.Referrer{Digest: digestB, ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json", SizeBytes: 700}
	signed := func(i *v1alpha1.CatalogImage) {
		i.Status.Referrers = []v1alpha1.Referrer{{Digest: digestB, ArtifactType: signature.ArtifactType, SizeBytes: 700}}
	}
	rows := map[string]*row{
		"are recorded with the image": {
			before:   entry(),
			registry: fakeRegistry{image: single(digestA), referrers: []registry.Referrer{signature}},
			after:    available(0, signed),
			again:    interval,
		},
		"wait for an answer, as the image does": {
			before:   entry(),
			registry: fakeRegistry{image: single(digestA), referrersErr: answer(registry.RegistryUnavailable)},
			after:    entry(observed, unique, outage("RegistryUnavailable", answer(registry.RegistryUnavailable).Error(), 0), phase(v1alpha1.PhaseVerifying)),
			again:    retryInterval,
		},
	}
	for _, reason := range []registry.Reason{registry.TooLarge, registry.Malformed, registry.Forbidden, registry.Unauthorized, registry.Blocked} {
		rows["keep no image from being found, "+string(reason)] = &row{
			before:   entry(),
			registry: fakeRegistry{image: single(digestA), referrersErr: answer(reason)},
			after:    available(0),
			again:    interval,
			events:   []string{warning(eventReferrersUnreadable, answer(reason).Error())},
		}
	}
	for _, r := range rows {
		r.asked, r.claimed = []string{"describe " + reference}, []string{adopts, releases}
	}
	reconcileAll(t, rows)
}

// outageBegan is an outage within its grace, so that the verdicts stand.
func outageBegan(ago time.Duration) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.MarkOutage("Throttled", "later", now.Add(-ago)) }
}

func TestMetadata(t *testing.T) {
	declaring := func(m v1alpha1.ImageMetadata) option {
		return func(i *v1alpha1.CatalogImage) { i.Spec.Metadata = m }
	}
	contradicted := func(message string) option {
		return func(i *v1alpha1.CatalogImage) { i.Status.MarkMetadataContradicted(message) }
	}
	rows := map[string]*row{}
	for title, test := range map[string]struct {
		declared v1alpha1.ImageMetadata
		image    *registry.Description
		status   option
		message  string // "" when nothing is contradicted
	}{
		"as declared":                {v1alpha1.ImageMetadata{Architecture: "aarch64", OS: "linux", Variant: "v8", Distro: "autosd"}, single(digestA), describedSingle(digestA), ""},
		"one of an index":            {v1alpha1.ImageMetadata{Architecture: "amd64"}, index(digestA), describedIndex(digestA), ""},
		"another architecture":       {v1alpha1.ImageMetadata{Architecture: "riscv64"}, index(digestA), describedIndex(digestA), "metadata.architecture is riscv64, but the image has amd64, arm64"},
		"another system and variant": {v1alpha1.ImageMetadata{OS: "qnx", Variant: "v7"}, single(digestA), describedSingle(digestA), "metadata.os is qnx, but the image has linux; metadata.variant is v7, but the image has v8"},
	} {
		after := []option{declaring(test.declared), observed, resolved, unique, test.status, checked(0), phase(v1alpha1.PhaseAvailable)}
		if test.message != "" {
			after = append(after, contradicted(test.message)) // and the entry is Ready all the same
		}
		rows[title] = &row{
			before:   entry(declaring(test.declared)),
			registry: fakeRegistry{image: test.image},
			after:    entry(after...),
			again:    interval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
		}
	}
	reconcileAll(t, rows)
}

func TestLabelsThatCannotBeAligned(t *testing.T) {
	down := errors.New("connection refused")
	reconcileAll(t, map[string]*row{
		"the check goes on": {
			before:   entry(),
			labels:   fakeLabels{err: down},
			registry: fakeRegistry{image: single(digestA)},
			after:    available(0),
			err:      down,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
			failure:  "connection refused",
		},
	})
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
		"the registry is retried before a claim that is pending for longer": {
			before:   entry(),
			registry: fakeRegistry{err: answer(registry.Throttled)},
			claims:   fakeClaims{adopting: longer},
			after:    entry(observed, uniquePending(longer), outage("Throttled", answer(registry.Throttled).Error(), 0), phase(v1alpha1.PhaseVerifying)),
			again:    retryInterval,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts},
		},
		"the claim cannot be read": {
			before:   available(interval),
			registry: found,
			claims:   fakeClaims{adopting: down},
			after:    available(0, uniqueUnknown("connection refused"), phase(v1alpha1.PhaseUnavailable)),
			err:      down,
			asked:    []string{"head " + reference},
			claimed:  []string{adopts},
			failure:  "connection refused",
		},
		"other claims cannot be released": {
			before:   available(sinceChecked, changedSpec),
			registry: found,
			claims:   fakeClaims{releasing: down},
			after:    available(0, changedSpec, observed),
			err:      down,
			asked:    []string{"describe " + reference},
			claimed:  []string{adopts, releases},
			failure:  "connection refused",
		},
	})
}

func TestAnEntryThatIsGone(t *testing.T) {
	down := errors.New("connection refused")
	reconcileAll(t, map[string]*row{
		"its claims go":                 {claimed: []string{"release all of " + key}},
		"its claims cannot go yet":      {claims: fakeClaims{releasingAgain: 40 * time.Second}, claimed: []string{"release all of " + key}, again: 40 * time.Second},
		"its claims cannot be released": {claims: fakeClaims{releasing: down}, claimed: []string{"release all of " + key}, err: down},
	})
}
