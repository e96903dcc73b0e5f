package v1alpha1

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
)

// UnmarshalJSON implements json.Unmarshaler. A status may have been stored under another schema, or by hand: a field that
// cannot be read is left out and named in Damaged, because one that failed as a whole would take the list of all entries
// with it.
func (s *CatalogImageStatus) UnmarshalJSON(document []byte) error {
	type plain CatalogImageStatus
	whole := plain{}
	if err := json.Unmarshal(document, &whole); err == nil {
		*s = CatalogImageStatus(whole)
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		*s = CatalogImageStatus{Damaged: []string{"status"}}
		return nil //nolint:nilerr // it is told by Damaged
	}
	readable := plain{}
	var damaged []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		alone, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err != nil {
			return fmt.Errorf("reading status.%s: %w", name, err)
		}
		trial := plain{}
		if json.Unmarshal(alone, &trial) != nil || json.Unmarshal(alone, &readable) != nil {
			damaged = append(damaged, "status."+name)
		}
	}
	*s = CatalogImageStatus(readable)
	s.Damaged = damaged
	return nil
}

// clockSkew is how far in the future a time may be that another machine wrote.
const clockSkew = 5 * time.Minute

// Damage tells what in a status cannot be: nobody who followed the rules wrote it.
func (s *CatalogImageStatus) Damage(now time.Time) []string {
	damaged := slices.Clone(s.Damaged)
	for _, check := range []struct {
		field string
		wrong bool
	}{
		{"status.digest", s.Digest != "" && !sha256Digest.MatchString(s.Digest)},
		{"status.digest", s.Digest == "" && s.GetCondition(ConditionResolved).IsTrue()},
		{"status.lastCheckedAt", s.LastCheckedAt != nil && s.LastCheckedAt.After(now.Add(clockSkew))},
		{"status.sizeBytes", s.SizeBytes < 0},
		{"status.layerCount", s.LayerCount < int64(len(s.Layers))},
		{"status.accessCount", !s.accessesFit()},
		{"status.verification", s.Verification != nil && !sha256Digest.MatchString(s.Verification.Digest)},
		{"status.verification", s.Verification != nil && s.Verification.Since.After(now.Add(clockSkew))},
		{"status.conditions", slices.ContainsFunc(s.Conditions, func(c apis.Condition) bool { return !isKnown(c.Status) })},
		{"status.history", slices.ContainsFunc(s.History, func(p DigestPeriod) bool { return !sha256Digest.MatchString(p.Digest) })},
	} {
		if check.wrong && !slices.Contains(damaged, check.field) {
			damaged = append(damaged, check.field)
		}
	}
	return damaged
}

func isKnown(status corev1.ConditionStatus) bool {
	return status == corev1.ConditionTrue || status == corev1.ConditionFalse || status == corev1.ConditionUnknown
}

// Distrust forgets everything that a check finds out, so that the next one does. Of the history what can be is kept, and the
// accesses if they can be.
func (s *CatalogImageStatus) Distrust() {
	history := slices.DeleteFunc(slices.Clone(s.History), func(p DigestPeriod) bool { return !sha256Digest.MatchString(p.Digest) })
	trusted := CatalogImageStatus{
		Status:  duckv1.Status{ObservedGeneration: s.ObservedGeneration},
		History: history[:min(len(history), MaxHistory)],
	}
	if s.accessesFit() {
		trusted.AccessCount, trusted.AccessReadings = s.AccessCount, s.AccessReadings
	}
	*s = trusted
	conditions.Manage(s).InitializeConditions()
}
