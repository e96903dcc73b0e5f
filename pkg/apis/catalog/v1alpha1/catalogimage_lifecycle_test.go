package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

var checkedAt = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

func makeReady(s *v1alpha1.CatalogImageStatus) {
	s.MarkResolved()
	s.MarkNoPolicy()
	s.MarkUnique()
}

func newStatus() *v1alpha1.CatalogImageStatus {
	var entry v1alpha1.CatalogImage
	entry.GetConditionSet().Manage(&entry.Status).InitializeConditions()
	return &entry.Status
}

// The states that a condition of Ready can have, and the verbs that bring it there.
type verbs map[string]func(*v1alpha1.CatalogImageStatus)

func never(*v1alpha1.CatalogImageStatus) {}

var dependents = []verbs{
	{ // Resolved
		"never": never,
		"True":  (*v1alpha1.CatalogImageStatus).MarkResolved,
		"False": func(s *v1alpha1.CatalogImageStatus) { s.MarkUnresolved("NotFound", "gone") },
		"Unknown": func(s *v1alpha1.CatalogImageStatus) { // by the outage alone: MarkOutage speaks of policies too
			new(v1alpha1.CatalogImage).GetConditionSet().Manage(s).MarkUnknown(v1alpha1.ConditionResolved, "RegistryUnavailable", "down")
		},
	},
	{ // PolicySatisfied
		"never":   never,
		"True":    (*v1alpha1.CatalogImageStatus).MarkNoPolicy,
		"False":   func(s *v1alpha1.CatalogImageStatus) { s.MarkPolicyViolated("signed", "no signature") },
		"Unknown": func(s *v1alpha1.CatalogImageStatus) { s.MarkPolicyUnknown("Throttled", "too many requests") },
	},
	{ // Unique
		"never":   never,
		"True":    (*v1alpha1.CatalogImageStatus).MarkUnique,
		"False":   func(s *v1alpha1.CatalogImageStatus) { s.MarkDuplicate("other") },
		"Unknown": func(s *v1alpha1.CatalogImageStatus) { s.MarkUniquePending("another is being published") },
	},
}

// phaseRow is what the phase is for some states of Resolved, PolicySatisfied and Unique, and for an image that was
// resolved before, or was not. The rows do not overlap, so that their order does not matter.
type phaseRow struct {
	resolved, policySatisfied, unique, before string
	phase                                     v1alpha1.Phase
}

const (
	always   = "never True False Unknown"
	notFalse = "never True Unknown"
	noAnswer = "never Unknown"
)

var phaseTable = []phaseRow{
	// Resolved      PolicySatisfied  Unique    resolved before
	{"never", always, always, "yes no", v1alpha1.PhasePending},
	{"False", always, always, "yes", v1alpha1.PhaseUnavailable},
	{"False", always, always, "no", v1alpha1.PhaseFailed},
	{"True Unknown", "False", always, "yes no", v1alpha1.PhaseFailed},
	{"True Unknown", notFalse, "False", "yes no", v1alpha1.PhaseFailed},
	{"True", "True", "True", "yes no", v1alpha1.PhaseAvailable},
	{"True", "True", noAnswer, "yes", v1alpha1.PhaseUnavailable},
	{"True", "True", noAnswer, "no", v1alpha1.PhaseVerifying},
	{"True", noAnswer, notFalse, "yes", v1alpha1.PhaseUnavailable},
	{"True", noAnswer, notFalse, "no", v1alpha1.PhaseVerifying},
	{"Unknown", notFalse, notFalse, "yes", v1alpha1.PhaseUnavailable},
	{"Unknown", notFalse, notFalse, "no", v1alpha1.PhaseVerifying},
}

// phaseOf finds the one row for a combination.
func phaseOf(t *testing.T, states [3]string, before string) v1alpha1.Phase {
	t.Helper()
	var phases []v1alpha1.Phase
	for _, row := range phaseTable {
		if includes(row.resolved, states[0]) && includes(row.policySatisfied, states[1]) && includes(row.unique, states[2]) && includes(row.before, before) {
			phases = append(phases, row.phase)
		}
	}
	require.Len(t, phases, 1, "rows for %v, resolved before: %s", states, before)
	return phases[0]
}

func includes(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// readyOf is the rule for Ready: one False decides, and only all True make it True.
func readyOf(states [3]string) corev1.ConditionStatus {
	switch {
	case slices.Contains(states[:], "False"):
		return corev1.ConditionFalse
	case states == [3]string{"True", "True", "True"}:
		return corev1.ConditionTrue
	default:
		return corev1.ConditionUnknown
	}
}

func TestPhaseAndReadyOfEveryCombination(t *testing.T) {
	combinations := 0
	for _, resolved := range strings.Fields(always) {
		for _, policySatisfied := range strings.Fields(always) {
			for _, unique := range strings.Fields(always) {
				for _, before := range []string{"yes", "no"} {
					combinations++
					assertCombination(t, [3]string{resolved, policySatisfied, unique}, before)
				}
			}
		}
	}
	assert.Equal(t, 128, combinations)
}

// assertCombination marks the states in every order: what is judged first must not matter.
func assertCombination(t *testing.T, states [3]string, before string) {
	t.Helper()
	phase, ready := phaseOf(t, states, before), readyOf(states)
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		status := newStatus()
		if before == "yes" {
			status.Digest = digestA
		}
		for _, n := range order {
			dependents[n][states[n]](status)
		}
		title := fmt.Sprintf("Resolved, PolicySatisfied, Unique %v, resolved before: %s, marked in the order %v", states, before, order)
		assert.Equal(t, phase, status.DerivePhase(), title)
		assert.Equal(t, ready, status.GetCondition(v1alpha1.ConditionReady).Status, title)
	}
}

func TestPhaseWithoutConditions(t *testing.T) {
	assert.Equal(t, v1alpha1.PhasePending, (&v1alpha1.CatalogImageStatus{}).DerivePhase())
	assert.Equal(t, v1alpha1.PhasePending, (&v1alpha1.CatalogImageStatus{Digest: digestA}).DerivePhase())
}

func TestMarks(t *testing.T) {
	const message = "100% of %s is a message, not a format"
	for title, test := range map[string]struct {
		mark   func(*v1alpha1.CatalogImageStatus)
		of     apis.ConditionType
		want   corev1.ConditionStatus
		reason string
		text   string
	}{
		"resolved":        {(*v1alpha1.CatalogImageStatus).MarkResolved, v1alpha1.ConditionResolved, "True", "", ""},
		"unresolved":      {func(s *v1alpha1.CatalogImageStatus) { s.MarkUnresolved("NotFound", message) }, v1alpha1.ConditionResolved, "False", "NotFound", message},
		"outage":          {func(s *v1alpha1.CatalogImageStatus) { s.MarkOutage("Throttled", message, checkedAt) }, v1alpha1.ConditionResolved, "Unknown", "Throttled", message},
		"policies hold":   {func(s *v1alpha1.CatalogImageStatus) { s.MarkPolicySatisfied("signed", "scanned") }, v1alpha1.ConditionPolicySatisfied, "True", "PoliciesHold", "signed, scanned"},
		"no policy":       {(*v1alpha1.CatalogImageStatus).MarkNoPolicy, v1alpha1.ConditionPolicySatisfied, "True", "NoPolicy", "no enforcing policy selects the entry"},
		"policy violated": {func(s *v1alpha1.CatalogImageStatus) { s.MarkPolicyViolated("signed", message) }, v1alpha1.ConditionPolicySatisfied, "False", "PolicyViolated", `policy "signed": ` + message},
		"policy unknown":  {func(s *v1alpha1.CatalogImageStatus) { s.MarkPolicyUnknown("Throttled", message) }, v1alpha1.ConditionPolicySatisfied, "Unknown", "Throttled", message},
		"unique":          {(*v1alpha1.CatalogImageStatus).MarkUnique, v1alpha1.ConditionUnique, "True", "", ""},
		"unique unknown":  {func(s *v1alpha1.CatalogImageStatus) { s.MarkUniqueUnknown(message) }, v1alpha1.ConditionUnique, "Unknown", "ClaimUnreadable", message},
		"unique pending":  {func(s *v1alpha1.CatalogImageStatus) { s.MarkUniquePending(message) }, v1alpha1.ConditionUnique, "Unknown", "ClaimPending", message},
		"duplicate": {func(s *v1alpha1.CatalogImageStatus) { s.MarkDuplicate("other") }, v1alpha1.ConditionUnique, "False", "Duplicate",
			`the entry "other" is of the same image; delete one of the two`},
	} {
		t.Run(title, func(t *testing.T) {
			status := newStatus()
			test.mark(status)
			condition := status.GetCondition(test.of)
			assert.Equal(t, test.want, condition.Status)
			assert.Equal(t, test.reason, condition.Reason)
			assert.Equal(t, test.text, condition.Message)
			if test.want != "True" {
				ready := status.GetCondition(v1alpha1.ConditionReady)
				assert.Equal(t, test.reason, ready.Reason, "Ready says why")
				assert.Equal(t, test.text, ready.Message)
			}
		})
	}
}

func TestMarkCheckedKeepsWhatTheAPIKeeps(t *testing.T) {
	status := newStatus()
	status.MarkChecked(time.Date(2026, 11, 21, 10, 30, 15, 999, time.FixedZone("CET", 3600)))
	require.NotNil(t, status.LastCheckedAt)
	assert.True(t, status.LastCheckedAt.Time.Equal(time.Date(2026, 11, 21, 9, 30, 15, 0, time.UTC)), "%s", status.LastCheckedAt)
}

func TestInformationalConditionsDoNotCountForReady(t *testing.T) {
	const message = "100% of %s is a message, not a format"
	for title, test := range map[string]struct {
		mark         func(*v1alpha1.CatalogImageStatus)
		of           apis.ConditionType
		want         corev1.ConditionStatus
		reason, text string
	}{
		"verified":              {func(s *v1alpha1.CatalogImageStatus) { s.MarkVerified("release-key") }, v1alpha1.ConditionVerified, "True", "Verified", "by release-key"},
		"not verified":          {func(s *v1alpha1.CatalogImageStatus) { s.MarkNotVerified("NoSignature", message) }, v1alpha1.ConditionVerified, "False", "NoSignature", message},
		"verified unknown":      {func(s *v1alpha1.CatalogImageStatus) { s.MarkVerifiedUnknown("Throttled", message) }, v1alpha1.ConditionVerified, "Unknown", "Throttled", message},
		"nobody asked":          {(*v1alpha1.CatalogImageStatus).MarkNoPolicy, v1alpha1.ConditionVerified, "False", "NoPolicy", "no policy asks for a signature, so none was looked for"},
		"checked":               {func(s *v1alpha1.CatalogImageStatus) { s.MarkChecked(checkedAt) }, v1alpha1.ConditionFresh, "True", "", ""},
		"outage":                {func(s *v1alpha1.CatalogImageStatus) { s.MarkOutage("Throttled", message, checkedAt) }, v1alpha1.ConditionFresh, "False", "Throttled", message},
		"metadata matches":      {(*v1alpha1.CatalogImageStatus).MarkMetadataMatches, v1alpha1.ConditionMetadataMatches, "True", "", ""},
		"metadata contradicted": {func(s *v1alpha1.CatalogImageStatus) { s.MarkMetadataContradicted(message) }, v1alpha1.ConditionMetadataMatches, "False", "Contradicted", message},
	} {
		t.Run(title, func(t *testing.T) {
			status := newStatus()
			status.MarkResolved()
			status.MarkPolicySatisfied("signed")
			status.MarkUnique()
			assert.Nil(t, status.GetCondition(test.of), "nothing is said before it is known")
			test.mark(status)
			condition := status.GetCondition(test.of)
			require.NotNil(t, condition)
			assert.Equal(t, test.want, condition.Status)
			assert.Equal(t, test.reason, condition.Reason)
			assert.Equal(t, test.text, condition.Message)
			assert.Equal(t, apis.ConditionSeverityInfo, condition.Severity)
			assert.True(t, status.GetCondition(v1alpha1.ConditionReady).IsTrue())
		})
	}
}

func TestALongMessageIsClippedToWhatTheSchemaAdmits(t *testing.T) {
	status := newStatus()
	status.MarkUnresolved("Malformed", strings.Repeat("ä", v1alpha1.MaxMessage+1))
	assert.Equal(t, strings.Repeat("ä", v1alpha1.MaxMessage-1)+"…", status.GetCondition(v1alpha1.ConditionResolved).Message)
	status.MarkUnresolved("Malformed", strings.Repeat("ä", v1alpha1.MaxMessage))
	assert.Equal(t, strings.Repeat("ä", v1alpha1.MaxMessage), status.GetCondition(v1alpha1.ConditionResolved).Message)
	status.MarkUnresolved("Malformed", "the registry sent \xff")
	assert.Equal(t, "the registry sent \uFFFD", status.GetCondition(v1alpha1.ConditionResolved).Message)
}

func TestAnOutage(t *testing.T) {
	resolved := func(s *v1alpha1.CatalogImageStatus) { makeReady(s); s.Digest = digestA }
	policed := func(s *v1alpha1.CatalogImageStatus) { resolved(s); s.MarkPolicySatisfied("signed") }
	notFound := func(s *v1alpha1.CatalogImageStatus) {
		makeReady(s)
		s.MarkUnresolved("NotFound", "no such tag")
	}
	for title, test := range map[string]struct {
		before                           func(*v1alpha1.CatalogImageStatus)
		failures                         []time.Duration // of checks, after the first of them
		resolved, policySatisfied, ready string          // "status/reason"
		phase                            v1alpha1.Phase
	}{
		"the first failure of a good entry":   {resolved, nil, "True/", "True/NoPolicy", "True/", v1alpha1.PhaseAvailable},
		"within the grace":                    {resolved, []time.Duration{30 * time.Second, time.Hour - time.Second}, "True/", "True/NoPolicy", "True/", v1alpha1.PhaseAvailable},
		"the grace is over":                   {resolved, []time.Duration{time.Hour}, "Unknown/Throttled", "True/NoPolicy", "Unknown/Throttled", v1alpha1.PhaseUnavailable},
		"the grace is long over":              {resolved, []time.Duration{time.Hour, 48 * time.Hour}, "Unknown/Throttled", "True/NoPolicy", "Unknown/Throttled", v1alpha1.PhaseUnavailable},
		"a missing image, within the grace":   {notFound, []time.Duration{time.Minute}, "False/NotFound", "True/NoPolicy", "False/NotFound", v1alpha1.PhaseFailed},
		"a missing image, the grace is over":  {notFound, []time.Duration{2 * time.Hour}, "Unknown/Throttled", "True/NoPolicy", "Unknown/Throttled", v1alpha1.PhaseVerifying},
		"a policy holds, within the grace":    {policed, []time.Duration{time.Minute}, "True/", "True/PoliciesHold", "True/", v1alpha1.PhaseAvailable},
		"a policy holds, the grace is over":   {policed, []time.Duration{time.Hour}, "Unknown/Throttled", "Unknown/Throttled", "Unknown/Throttled", v1alpha1.PhaseUnavailable},
		"there is no verdict yet":             {(*v1alpha1.CatalogImageStatus).MarkUnique, nil, "Unknown/Throttled", "Unknown/Throttled", "Unknown/Throttled", v1alpha1.PhaseVerifying},
		"a clock that went back by two hours": {resolved, []time.Duration{-2 * time.Hour, -time.Hour - time.Second}, "True/", "True/NoPolicy", "True/", v1alpha1.PhaseAvailable},
		"and the grace counts from there":     {resolved, []time.Duration{-2 * time.Hour, -time.Hour}, "Unknown/Throttled", "True/NoPolicy", "Unknown/Throttled", v1alpha1.PhaseUnavailable},
	} {
		t.Run(title, func(t *testing.T) {
			status := newStatus()
			test.before(status)
			for _, after := range append([]time.Duration{0}, test.failures...) {
				status.MarkOutage("Throttled", "after "+after.String(), checkedAt.Add(after))
			}
			assert.Equal(t, test.resolved, said(status, v1alpha1.ConditionResolved))
			assert.Equal(t, test.policySatisfied, said(status, v1alpha1.ConditionPolicySatisfied))
			assert.Equal(t, test.ready, said(status, v1alpha1.ConditionReady))
			assert.Equal(t, "False/Throttled", said(status, v1alpha1.ConditionFresh))
			assert.Equal(t, test.phase, status.DerivePhase())

			makeReady(status)
			status.MarkChecked(checkedAt.Add(72 * time.Hour))
			assert.Equal(t, "True/", said(status, v1alpha1.ConditionReady), "nothing that an outage does lasts")
			assert.Equal(t, "True/", said(status, v1alpha1.ConditionFresh))
			assert.Nil(t, status.OutageSince)
		})
	}
}

// said is what a condition says: "status/reason".
func said(s *v1alpha1.CatalogImageStatus, of apis.ConditionType) string {
	condition := s.GetCondition(of)
	if condition == nil {
		return ""
	}
	return string(condition.Status) + "/" + condition.Reason
}

func TestAnotherImageIsJudgedFromTheBeginning(t *testing.T) {
	const one, other = "quay.io/acme/autosd:1", "quay.io/acme/autosd:2"
	judged := func() *v1alpha1.CatalogImageStatus {
		status := newStatus()
		status.MarkImage(one, checkedAt)
		status.Digest, status.SizeBytes, status.Layers = digestA, 7, []v1alpha1.Layer{{Digest: digestB}}
		makeReady(status)
		status.MarkChecked(checkedAt)
		status.MarkOutage("Throttled", "", checkedAt)
		status.MarkVerified("release-key")
		status.MarkMetadataMatches()
		status.ObservedGeneration, status.PublishedBy = 3, "alice"
		return status
	}
	same := judged()
	same.MarkImage(one, checkedAt)
	assert.Equal(t, judged().Digest, same.Digest, "nothing about the image is forgotten")
	assert.True(t, same.GetCondition(v1alpha1.ConditionResolved).IsTrue())

	status := judged()
	status.MarkImage(other, checkedAt)
	assert.Equal(t, v1alpha1.PhasePending, status.DerivePhase())
	for _, of := range []apis.ConditionType{v1alpha1.ConditionReady, v1alpha1.ConditionResolved, v1alpha1.ConditionPolicySatisfied} {
		assert.Equal(t, "Unknown/", said(status, of), of)
	}
	assert.Equal(t, "True/", said(status, v1alpha1.ConditionUnique), "the claim is judged apart")
	require.Len(t, status.History, 1)
	assert.Equal(t, v1alpha1.CauseSpecChanged, status.History[0].Cause)
	status.Conditions, status.History = nil, nil
	assert.Equal(t, v1alpha1.CatalogImageStatus{Status: duckv1.Status{ObservedGeneration: 3}, Image: other, PublishedBy: "alice"}, *status)

	status = judged()
	status.MarkImage(other, checkedAt)
	for _, of := range []apis.ConditionType{v1alpha1.ConditionVerified, v1alpha1.ConditionFresh, v1alpha1.ConditionMetadataMatches} {
		assert.Nil(t, status.GetCondition(of), of)
	}
	status.MarkOutage("Throttled", "", checkedAt)
	assert.Equal(t, "Unknown/Throttled", said(status, v1alpha1.ConditionResolved), "there is no grace for a verdict on another image")
	assert.Equal(t, v1alpha1.PhaseVerifying, status.DerivePhase())
}

func TestIsReady(t *testing.T) {
	for title, test := range map[string]struct {
		generation, observed int64
		mark                 func(*v1alpha1.CatalogImageStatus)
		want                 bool
	}{
		"ready":                          {2, 2, makeReady, true},
		"ready, of the spec before":      {2, 1, makeReady, false},
		"not yet":                        {2, 2, (*v1alpha1.CatalogImageStatus).MarkResolved, false},
		"never looked at":                {1, 0, func(*v1alpha1.CatalogImageStatus) {}, false},
		"was ready, and is a duplicate":  {1, 1, func(s *v1alpha1.CatalogImageStatus) { makeReady(s); s.MarkDuplicate("other") }, false},
		"was ready, and is not answered": {1, 1, func(s *v1alpha1.CatalogImageStatus) { makeReady(s); s.MarkOutage("Throttled", "", checkedAt) }, true},
	} {
		t.Run(title, func(t *testing.T) {
			entry := v1alpha1.CatalogImage{Status: *newStatus()}
			entry.Generation, entry.Status.ObservedGeneration = test.generation, test.observed
			test.mark(&entry.Status)
			assert.Equal(t, test.want, entry.IsReady())
		})
	}
}

func TestHistory(t *testing.T) {
	s := newStatus()
	hour := func(n int) time.Time { return checkedAt.Add(time.Duration(n) * time.Hour) }
	at := func(n int) *metav1.Time { t := metav1.NewTime(hour(n)); return &t }
	s.MarkImage("quay.io/acme/autosd:1", hour(0))

	assert.Empty(t, s.MarkDigest("sha256:a", hour(0)), "the first is no drift")
	assert.Empty(t, s.MarkDigest("sha256:a", hour(1)))
	assert.Equal(t, at(0), s.DigestSince)
	assert.Empty(t, s.History)

	assert.Equal(t, "sha256:a", s.MarkDigest("sha256:b", hour(2)))
	moved := v1alpha1.DigestPeriod{Digest: "sha256:a", From: at(0), To: *at(2), Cause: v1alpha1.CauseTagMoved}
	assert.Equal(t, []v1alpha1.DigestPeriod{moved}, s.History)

	for n := range 3 { // it is found deleted again and again, and that is one end
		s.MarkDeleted("gone", hour(3+n))
	}
	deleted := v1alpha1.DigestPeriod{Digest: "sha256:b", From: at(2), To: *at(3), Cause: v1alpha1.CauseImageDeleted}
	assert.Equal(t, []v1alpha1.DigestPeriod{deleted, moved}, s.History)
	assert.Equal(t, "sha256:b", s.Digest, "what it was is kept")
	assert.Nil(t, s.DigestSince)

	assert.Empty(t, s.MarkDigest("sha256:b", hour(7)), "it is back, which is no drift")
	assert.Equal(t, at(7), s.DigestSince)
	s.MarkImage("quay.io/acme/autosd:2", hour(8))
	changed := v1alpha1.DigestPeriod{Digest: "sha256:b", From: at(7), To: *at(8), Cause: v1alpha1.CauseSpecChanged}
	assert.Equal(t, []v1alpha1.DigestPeriod{changed, deleted, moved}, s.History, "the history is the entry's, whatever image it is of")
	assert.Empty(t, s.Digest)

	for n := range 2 * v1alpha1.MaxHistory {
		s.MarkDigest(fmt.Sprintf("sha256:%d", n), hour(10+n))
	}
	assert.Len(t, s.History, v1alpha1.MaxHistory)
	assert.Equal(t, fmt.Sprintf("sha256:%d", 2*v1alpha1.MaxHistory-2), s.History[0].Digest, "the latest first")
}

// A status that an older release wrote has no start of the digest's time.
func TestHistoryWithoutAStart(t *testing.T) {
	s := newStatus()
	s.Digest = "sha256:a"
	assert.Equal(t, "sha256:a", s.MarkDigest("sha256:b", checkedAt))
	assert.Nil(t, s.History[0].From)
}

func TestCheckRequests(t *testing.T) {
	var entry v1alpha1.CatalogImage
	_, open := entry.RequestedCheck()
	assert.False(t, open, "nobody asked")

	entry.Annotations = map[string]string{v1alpha1.CheckRequestedAtAnnotation: "2026-11-21T10:30:00Z"}
	requested, open := entry.RequestedCheck()
	assert.True(t, open)
	entry.Status.MarkCheckRequest(requested, "NotFound", "it is gone", checkedAt)
	_, open = entry.RequestedCheck()
	assert.False(t, open, "it was done")
	assert.Equal(t, "NotFound", entry.Status.CheckRequest.Outcome)

	entry.Annotations[v1alpha1.CheckRequestedAtAnnotation] = strings.Repeat("later ", 100)
	requested, open = entry.RequestedCheck()
	assert.True(t, open, "another value is another request")
	entry.Status.MarkCheckRequest(requested, "Resolved", "", checkedAt)
	_, open = entry.RequestedCheck()
	assert.False(t, open, "however long it is")
}
