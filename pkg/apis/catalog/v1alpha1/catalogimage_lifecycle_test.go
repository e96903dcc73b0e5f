package v1alpha1_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func newStatus() *v1alpha1.CatalogImageStatus {
	var entry v1alpha1.CatalogImage
	entry.GetConditionSet().Manage(&entry.Status).InitializeConditions()
	return &entry.Status
}

// The states that a dependent condition can have, and how it gets there.
type transition struct {
	state string
	mark  func(*v1alpha1.CatalogImageStatus)
}

var (
	resolvedStates = []transition{
		{"never attempted", func(*v1alpha1.CatalogImageStatus) {}},
		{"unknown", func(s *v1alpha1.CatalogImageStatus) { s.MarkResolvedUnknown("RegistryUnavailable", "down") }},
		{"false", func(s *v1alpha1.CatalogImageStatus) { s.MarkUnresolved("NotFound", "gone") }},
		{"true", (*v1alpha1.CatalogImageStatus).MarkResolved},
	}
	uniqueStates = []transition{
		{"never attempted", func(*v1alpha1.CatalogImageStatus) {}},
		{"unknown", func(s *v1alpha1.CatalogImageStatus) { s.MarkUniquePending("another is being published") }},
		{"false", func(s *v1alpha1.CatalogImageStatus) { s.MarkDuplicate("other") }},
		{"true", (*v1alpha1.CatalogImageStatus).MarkUnique},
	}
)

func TestDerivePhase(t *testing.T) {
	const (
		pending     = v1alpha1.PhasePending
		verifying   = v1alpha1.PhaseVerifying
		available   = v1alpha1.PhaseAvailable
		unavailable = v1alpha1.PhaseUnavailable
		failed      = v1alpha1.PhaseFailed
	)
	// For each state of Resolved, the phase by the state of Unique, in the order of uniqueStates.
	for _, table := range []struct {
		resolvedBefore bool
		phases         map[string][4]v1alpha1.Phase
	}{
		{false, map[string][4]v1alpha1.Phase{
			"never attempted": {pending, pending, pending, pending},
			"unknown":         {verifying, verifying, failed, verifying},
			"false":           {failed, failed, failed, failed},
			"true":            {verifying, verifying, failed, available},
		}},
		{true, map[string][4]v1alpha1.Phase{
			"never attempted": {pending, pending, pending, pending},
			"unknown":         {unavailable, unavailable, failed, unavailable},
			"false":           {unavailable, unavailable, unavailable, unavailable},
			"true":            {unavailable, unavailable, failed, available},
		}},
	} {
		for _, resolved := range resolvedStates {
			for n, unique := range uniqueStates {
				status := newStatus()
				if table.resolvedBefore {
					status.Digest = digestA
				}
				resolved.mark(status)
				unique.mark(status)
				assert.Equal(t, table.phases[resolved.state][n], status.DerivePhase(),
					"Resolved %s, Unique %s, resolved before: %t", resolved.state, unique.state, table.resolvedBefore)
			}
		}
	}
}

func TestPhaseWithoutConditions(t *testing.T) {
	assert.Equal(t, v1alpha1.PhasePending, (&v1alpha1.CatalogImageStatus{}).DerivePhase())
	assert.Equal(t, v1alpha1.PhasePending, (&v1alpha1.CatalogImageStatus{Digest: digestA}).DerivePhase())
}

func TestReadyFollowsItsDependents(t *testing.T) {
	for _, resolved := range resolvedStates {
		for _, unique := range uniqueStates {
			want := corev1.ConditionUnknown
			switch {
			case resolved.state == "false" || unique.state == "false":
				want = corev1.ConditionFalse
			case resolved.state == "true" && unique.state == "true":
				want = corev1.ConditionTrue
			}
			status := newStatus()
			resolved.mark(status)
			unique.mark(status)
			assert.Equal(t, want, status.GetCondition(v1alpha1.ConditionReady).Status, "Resolved %s, Unique %s", resolved.state, unique.state)
		}
	}
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
		"resolved":         {(*v1alpha1.CatalogImageStatus).MarkResolved, v1alpha1.ConditionResolved, "True", "", ""},
		"unresolved":       {func(s *v1alpha1.CatalogImageStatus) { s.MarkUnresolved("NotFound", message) }, v1alpha1.ConditionResolved, "False", "NotFound", message},
		"resolved unknown": {func(s *v1alpha1.CatalogImageStatus) { s.MarkResolvedUnknown("Throttled", message) }, v1alpha1.ConditionResolved, "Unknown", "Throttled", message},
		"unique":           {(*v1alpha1.CatalogImageStatus).MarkUnique, v1alpha1.ConditionUnique, "True", "", ""},
		"unique unknown":   {func(s *v1alpha1.CatalogImageStatus) { s.MarkUniqueUnknown(message) }, v1alpha1.ConditionUnique, "Unknown", "ClaimUnreadable", message},
		"unique pending":   {func(s *v1alpha1.CatalogImageStatus) { s.MarkUniquePending(message) }, v1alpha1.ConditionUnique, "Unknown", "ClaimPending", message},
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
			if test.reason != "" {
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

func TestIsReady(t *testing.T) {
	ready := func(s *v1alpha1.CatalogImageStatus) { s.MarkResolved(); s.MarkUnique() }
	for title, test := range map[string]struct {
		generation, observed int64
		mark                 func(*v1alpha1.CatalogImageStatus)
		want                 bool
	}{
		"ready":                            {2, 2, ready, true},
		"ready, of the spec before":        {2, 1, ready, false},
		"not yet":                          {2, 2, (*v1alpha1.CatalogImageStatus).MarkResolved, false},
		"never looked at":                  {1, 0, func(*v1alpha1.CatalogImageStatus) {}, false},
		"was ready, and is a duplicate":    {1, 1, func(s *v1alpha1.CatalogImageStatus) { ready(s); s.MarkDuplicate("other") }, false},
		"was ready, and the answer is out": {1, 1, func(s *v1alpha1.CatalogImageStatus) { ready(s); s.MarkResolvedUnknown("Throttled", "") }, false},
	} {
		t.Run(title, func(t *testing.T) {
			entry := v1alpha1.CatalogImage{Status: *newStatus()}
			entry.Generation, entry.Status.ObservedGeneration = test.generation, test.observed
			test.mark(&entry.Status)
			assert.Equal(t, test.want, entry.IsReady())
		})
	}
}
