package catalogimage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
)

// trust is an entry that is reconciled again and again while the world changes.
type trust struct {
	*Reconciler
	t        *testing.T
	at       time.Time
	registry *fakeRegistry
	entry    *v1alpha1.CatalogImage
	noted    []string
}

func newTrust(t *testing.T, policies ...*policy.Policy) *trust {
	t.Helper()
	counted, err := newMetrics(noop.Meter{})
	require.NoError(t, err)
	s := &trust{t: t, at: now, registry: &fakeRegistry{image: single(digestA), artifacts: map[string]*registry.Artifact{}}, entry: entry()}
	s.Reconciler = &Reconciler{
		registry: s.registry, keychains: fakeKeychains{}, claims: &fakeClaims{}, labels: &fakeLabels{}, policies: fakePolicies{all: policies},
		evidences: newEvidences(), journal: &journal{}, accesses: &accesses{}, metrics: counted,
		now:     func() time.Time { return s.at },
		due:     func(i *v1alpha1.CatalogImage, checked time.Time) time.Time { return checked.Add(i.Spec.Interval()) },
		allowed: func(name.Repository) bool { return true },
	}
	return s
}

// reconcile gives when the next one is to be.
func (s *trust) reconcile() time.Duration {
	s.t.Helper()
	s.registry.asked, s.noted = nil, nil
	s.entry.GetConditionSet().Manage(&s.entry.Status).InitializeConditions()
	event := s.ReconcileKind(s.t.Context(), s.entry)
	s.entry.Status.ObservedGeneration = s.entry.Generation
	for _, n := range s.journal.take(keyOf(s.entry)).notes {
		s.noted = append(s.noted, n.reason)
	}
	requeued, after := controller.IsRequeueKey(event)
	require.True(s.t, requeued, "%v", event)
	return after
}

// later reconciles after a time.
func (s *trust) later(d time.Duration) time.Duration {
	s.t.Helper()
	s.at = s.at.Add(d)
	return s.reconcile()
}

func (s *trust) assertCondition(condition apis.ConditionType, status, reason string) {
	s.t.Helper()
	found := s.entry.Status.GetCondition(condition)
	require.NotNil(s.t, found)
	assert.Equal(s.t, status+" "+reason, string(found.Status)+" "+found.Reason, "%s: %s", condition, found.Message)
}

// sign hangs signatures on an image, in place of those that it had.
func (s *trust) sign(digest string, keys ...*ecdsa.PrivateKey) {
	artifact := &registry.Artifact{Digest: digestB}
	for _, key := range keys {
		payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
		sum := sha256.Sum256(payload)
		signed, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		require.NoError(s.t, err)
		artifact.Layers = append(artifact.Layers, registry.ArtifactLayer{
			MediaType: "application/vnd.dev.cosign.simplesigning.v1+json", Content: payload,
			Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signed)},
		})
	}
	s.registry.artifacts[signatureTag(digest)] = artifact
}

func signatureTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

func newSigner(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// signedBy is a policy that wants a signature with a key.
func signedBy(t *testing.T, key *ecdsa.PrivateKey, change ...func(*v1alpha1.CatalogPolicySpec)) *policy.Policy {
	t.Helper()
	text, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	require.NoError(t, err)
	spec := v1alpha1.CatalogPolicySpec{
		Images:      []v1alpha1.ImagePattern{{Glob: "quay.io/acme/*"}},
		Authorities: []v1alpha1.Authority{{Name: "release-team", Key: v1alpha1.KeyRef{Data: string(text)}}},
	}
	for _, change := range change {
		change(&spec)
	}
	return read(t, spec)
}

func read(t *testing.T, spec v1alpha1.CatalogPolicySpec) *policy.Policy {
	t.Helper()
	p, err := policy.Read(&v1alpha1.CatalogPolicy{ObjectMeta: metav1.ObjectMeta{Name: "signed"}, Spec: spec})
	require.NoError(t, err)
	return p
}

func TestAnUnsignedImageBecomesVerifiedWhenItIsSigned(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))

	assert.Equal(t, lookInterval, s.reconcile())
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "False", "PolicyViolated")
	s.assertCondition(v1alpha1.ConditionVerified, "False", "Unsigned")
	assert.Equal(t, v1alpha1.PhaseFailed, s.entry.Status.Phase)
	assert.Equal(t, []string{eventPublished, eventPolicyViolated}, s.noted)
	before := s.entry.Status.DeepCopy()

	assert.Equal(t, lookInterval, s.later(lookInterval))
	assert.Equal(t, []string{"artifact quay.io/acme/autosd:" + signatureTag(digestA)}, s.registry.asked, "beside the referrers nothing else is asked for")
	assert.Equal(t, before, &s.entry.Status, "a look that finds nothing is worth no write")

	s.sign(digestA, key)
	s.later(lookInterval)
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "True", "PoliciesHold")
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
	assert.Equal(t, v1alpha1.PhaseAvailable, s.entry.Status.Phase)
	assert.Equal(t, []string{eventVerified, eventPolicySatisfied}, s.noted)
	assert.Equal(t, "release-team", s.entry.Status.Verification.Signers[0].Authority)

	assert.Equal(t, interval-3*lookInterval, s.later(lookInterval), "what is signed is looked at with regular checks")
	assert.Empty(t, s.registry.asked)
}

func TestASignatureThatArrivesLateIsFoundByARegularCheck(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.reconcile()
	assert.Equal(t, interval-lookPeriod, s.later(lookPeriod), "the time of looking is over")
	assert.Empty(t, s.registry.asked)
	s.sign(digestA, key)
	s.later(interval)
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
	assert.Equal(t, s.entry.Status.LastCheckedAt, s.entry.Status.Verification.CheckedAt)
}

func TestASignatureThatDisappearsIsMissed(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.sign(digestA, key)
	s.reconcile()
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
	clear(s.registry.artifacts)
	s.later(interval)
	s.assertCondition(v1alpha1.ConditionVerified, "False", "Unsigned")
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "False", "PolicyViolated")
	assert.Equal(t, []string{eventNotVerified, eventPolicyViolated}, s.noted)
}

func TestAChangedKeyIsJudgedByWhatIsKept(t *testing.T) {
	old, renewed, other := newSigner(t), newSigner(t), newSigner(t)
	s := newTrust(t, signedBy(t, old))
	s.sign(digestA, old, renewed)
	s.reconcile()
	s.later(interval) // for the old one alone less would be enough
	for _, step := range []struct {
		key            *ecdsa.PrivateKey
		status, reason string
	}{{renewed, "True", "Verified"}, {other, "False", "KeyMismatch"}, {old, "True", "Verified"}} {
		s.policies = fakePolicies{all: []*policy.Policy{signedBy(t, step.key)}}
		s.later(time.Minute)
		assert.Empty(t, s.registry.asked)
		s.assertCondition(v1alpha1.ConditionVerified, step.status, step.reason)
		assert.Equal(t, s.at, s.entry.Status.Verification.Since.Time)
	}
}

// What one key made superfluous is read for another, before anything is said.
func TestWhatWasLeftUnreadIsReadForAnotherKey(t *testing.T) {
	old, renewed := newSigner(t), newSigner(t)
	s := newTrust(t, signedBy(t, old))
	s.sign(digestA, old)
	s.reconcile()
	s.evidences.of(nameOf(s.entry), "quay.io/acme/autosd").byDigest[digestA].Partial = true
	s.sign(digestA, old, renewed)
	s.policies = fakePolicies{all: []*policy.Policy{signedBy(t, renewed)}}
	s.later(time.Minute)
	assert.NotEmpty(t, s.registry.asked)
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
}

func TestAnOutageFlipsNothing(t *testing.T) {
	key := newSigner(t)
	for title, down := range map[string]func(*trust){
		"while the evidence is kept": func(*trust) {},
		"after a restart":            func(s *trust) { s.evidences = newEvidences() },
	} {
		t.Run(title, func(t *testing.T) {
			s := newTrust(t, signedBy(t, key))
			s.sign(digestA, key)
			s.reconcile()
			down(s)
			s.registry.referrersErr, s.registry.artifactsErr = answer(registry.RegistryUnavailable), answer(registry.RegistryUnavailable)
			s.later(interval)
			s.assertCondition(v1alpha1.ConditionFresh, "False", "RegistryUnavailable")
			s.assertCondition(v1alpha1.ConditionPolicySatisfied, "True", "PoliciesHold")
			s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")

			s.later(v1alpha1.OutageGrace)
			s.assertCondition(v1alpha1.ConditionPolicySatisfied, "Unknown", "RegistryUnavailable")

			s.registry.referrersErr, s.registry.artifactsErr = nil, nil
			s.later(time.Minute)
			s.assertCondition(v1alpha1.ConditionPolicySatisfied, "True", "PoliciesHold")
		})
	}
}

func TestARestartAsksForNothing(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.sign(digestA, key)
	s.reconcile()
	before := s.entry.Status.DeepCopy()
	s.evidences = newEvidences()
	s.later(time.Minute)
	assert.Empty(t, s.registry.asked)
	assert.Equal(t, before, &s.entry.Status)

	s.policies = fakePolicies{all: []*policy.Policy{signedBy(t, newSigner(t))}}
	s.later(time.Minute)
	assert.Equal(t, []string{"artifact quay.io/acme/autosd:" + signatureTag(digestA)}, s.registry.asked, "for another key it is collected anew")
	s.assertCondition(v1alpha1.ConditionVerified, "False", "KeyMismatch")
}

func TestAMovedTagIsJudgedAnew(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.sign(digestA, key)
	s.reconcile()
	s.registry.image = single(digestB)
	assert.Equal(t, lookInterval, s.later(interval))
	s.assertCondition(v1alpha1.ConditionVerified, "False", "Unsigned")
	assert.Equal(t, digestB, s.entry.Status.Verification.Digest)
}

// What was said about one image is not said about another, however busy the registry is.
func TestAMovedTagIsNotVerifiedByTheImageBefore(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.sign(digestA, key)
	s.reconcile()
	s.registry.image, s.registry.artifactsErr = single(digestB), answer(registry.Busy)
	s.later(interval)
	assert.Equal(t, digestB, s.entry.Status.Digest)
	s.assertCondition(v1alpha1.ConditionVerified, "Unknown", "Busy")
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "Unknown", "Busy")

	s.policies = fakePolicies{err: policy.ErrKeysNotRead}
	s.later(time.Second)
	s.assertCondition(v1alpha1.ConditionVerified, "Unknown", v1alpha1.ReasonKeyUnavailable)

	s.policies, s.registry.artifactsErr = fakePolicies{all: []*policy.Policy{signedBy(t, key)}}, nil
	s.later(time.Second)
	s.assertCondition(v1alpha1.ConditionVerified, "False", "Unsigned")
}

// An entry whose spec changed is asked about, if not now.
func TestAChangedSpecIsAskedAboutWhenItsTurnComes(t *testing.T) {
	s := newTrust(t)
	s.reconcile()
	s.entry.Generation++
	s.registry.err = answer(registry.Busy)
	s.later(time.Second)
	s.assertCondition(v1alpha1.ConditionReady, "True", "")
	s.registry.err = nil
	s.later(time.Second)
	assert.NotEmpty(t, s.registry.asked)
	s.later(time.Second)
	assert.Empty(t, s.registry.asked)
}

// Another replica may have judged since.
func TestWhoLeadsAgainJudgesByNothingOld(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.sign(digestA, key)
	s.reconcile()
	require.NotNil(t, s.evidences.of(nameOf(s.entry), "quay.io/acme/autosd"))
	leading(&shares{apply: func(float64) {}}, &accesses{}, s.evidences.purge).PromoteFunc(pkgreconciler.UniversalBucket())
	assert.Nil(t, s.evidences.of(nameOf(s.entry), "quay.io/acme/autosd"))
	assert.Zero(t, s.evidences.bytes)
}

func TestAWarningLeavesAnEntryReady(t *testing.T) {
	s := newTrust(t, signedBy(t, newSigner(t), func(spec *v1alpha1.CatalogPolicySpec) { spec.Mode = v1alpha1.ModeWarn }))
	s.reconcile()
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "True", "NoPolicy")
	assert.Equal(t, v1alpha1.PhaseAvailable, s.entry.Status.Phase)
	assert.Equal(t, v1alpha1.PolicyViolated, s.entry.Status.Verification.Policies[0].Outcome)
	assert.Equal(t, []string{eventPublished, eventPolicyViolated}, s.noted)
}

func TestPoliciesWithoutSignaturesAskForNone(t *testing.T) {
	s := newTrust(t, read(t, v1alpha1.CatalogPolicySpec{Images: []v1alpha1.ImagePattern{{Glob: "quay.io/**"}}, RequiredPlatforms: []string{"linux/riscv64"}}))
	assert.Equal(t, interval, s.reconcile())
	assert.Equal(t, []string{"describe " + reference}, s.registry.asked)
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "False", "PolicyViolated")
	s.assertCondition(v1alpha1.ConditionVerified, "False", "NoPolicy")
	assert.Equal(t, policy.ReasonPlatformMissing, s.entry.Status.Verification.Policies[0].Reason)
}

func TestNothingIsJudgedBeforeItIsFound(t *testing.T) {
	s := newTrust(t, signedBy(t, newSigner(t)))
	s.registry.err = answer(registry.NotFound)
	s.reconcile()
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "Unknown", "NotResolved")
	assert.Nil(t, s.entry.Status.Verification)
}

func TestADeletedImageKeepsWhatWasSaid(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.sign(digestA, key)
	s.reconcile()
	s.registry.err = answer(registry.NotFound)
	s.later(interval)
	s.assertCondition(v1alpha1.ConditionResolved, "False", eventImageDeleted)
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
}

func TestKeysThatAreNotReadYetAreWaitedFor(t *testing.T) {
	s := newTrust(t)
	s.policies = fakePolicies{err: policy.ErrKeysNotRead}
	assert.Equal(t, policyWait, s.reconcile())
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "Unknown", v1alpha1.ReasonKeyUnavailable)
}

func TestAPolicyThatGoesIsForgotten(t *testing.T) {
	s := newTrust(t, signedBy(t, newSigner(t)))
	s.reconcile()
	s.policies = fakePolicies{}
	s.later(time.Second)
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "True", "NoPolicy")
	assert.Nil(t, s.entry.Status.Verification)
	assert.Nil(t, s.evidences.of(nameOf(s.entry), "quay.io/acme/autosd"))
}

func TestALookThatFindsNoTurnComesAgain(t *testing.T) {
	s := newTrust(t)
	s.reconcile()
	s.policies = fakePolicies{all: []*policy.Policy{signedBy(t, newSigner(t))}}
	busy := answer(registry.Busy)
	busy.RetryAfter = 3 * time.Second
	s.registry.referrersErr = busy
	assert.Equal(t, 3*time.Second, s.later(time.Minute))
}

func TestAPlatformNeedsItsOwnSignature(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key, func(spec *v1alpha1.CatalogPolicySpec) { spec.SignedPlatforms = true }))
	s.registry.image = index(digestA)
	s.sign(digestA, key)
	s.reconcile()
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "False", "PolicyViolated")
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
	s.sign(digestB, key)
	s.later(lookInterval)
	s.assertCondition(v1alpha1.ConditionPolicySatisfied, "True", "PoliciesHold")
}

func TestACheckThatWasAskedForCollectsAnew(t *testing.T) {
	key := newSigner(t)
	s := newTrust(t, signedBy(t, key))
	s.reconcile()
	s.at = s.at.Add(lookPeriod)
	s.sign(digestA, key)
	s.entry.Annotations = map[string]string{v1alpha1.CheckRequestedAtAnnotation: s.at.Format(time.RFC3339)}
	s.reconcile()
	s.assertCondition(v1alpha1.ConditionVerified, "True", "Verified")
}
