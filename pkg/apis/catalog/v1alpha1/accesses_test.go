package v1alpha1

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func running(string) bool { return false }
func ended(string) bool   { return true }

func TestWhatWasCountedIsAddedOnce(t *testing.T) {
	s := &CatalogImageStatus{}
	s.MarkAccesses(map[string]int64{"a": 3}, running)
	s.MarkAccesses(map[string]int64{"a": 3}, running)
	assert.Equal(t, int64(3), s.AccessCount)
	s.MarkAccesses(map[string]int64{"a": 5, "b": 1}, running)
	assert.Equal(t, int64(6), s.AccessCount)
	s.MarkAccesses(map[string]int64{"a": 4}, running) // read before, written later
	assert.Equal(t, int64(6), s.AccessCount)
	assert.Equal(t, []AccessReading{{Replica: "a", Count: 5}, {Replica: "b", Count: 1}}, s.AccessReadings)
}

func TestTheReadingOfAReplicaThatEndedIsForgotten(t *testing.T) {
	s := &CatalogImageStatus{AccessCount: 6, AccessReadings: []AccessReading{{Replica: "a", Count: 5}, {Replica: "b", Count: 1}}}
	before := s.DeepCopy()
	s.MarkAccesses(nil, running)
	assert.Equal(t, before, s)
	s.MarkAccesses(map[string]int64{"b": 3}, ended) // which was read before it ended
	assert.Equal(t, int64(8), s.AccessCount)
	assert.Equal(t, []AccessReading{{Replica: "b", Count: 3}}, s.AccessReadings)
}

func TestMoreReplicasThanFitAreNotCounted(t *testing.T) {
	counted := map[string]int64{}
	for n := range MaxAccessReadings + 1 {
		counted[fmt.Sprintf("replica-%02d", n)] = 1
	}
	s := &CatalogImageStatus{}
	s.MarkAccesses(counted, running)
	s.MarkAccesses(counted, running)
	assert.Equal(t, int64(MaxAccessReadings), s.AccessCount)
	assert.Len(t, s.AccessReadings, MaxAccessReadings)
}

func TestTheSumEndsWhereNumbersDo(t *testing.T) {
	s := &CatalogImageStatus{AccessCount: 5}
	s.MarkAccesses(map[string]int64{"a": math.MaxInt64}, running)
	assert.Equal(t, int64(math.MaxInt64), s.AccessCount)
}

func TestAccessesThatCanBeOutliveARepair(t *testing.T) {
	readings := []AccessReading{{Replica: "a", Count: 5}}
	for name, tc := range map[string]struct {
		status CatalogImageStatus
		kept   int64
	}{
		"they fit":                 {CatalogImageStatus{AccessCount: 6, AccessReadings: readings, Digest: "no"}, 6},
		"more is read than summed": {CatalogImageStatus{AccessCount: 4, AccessReadings: readings}, 0},
		"a negative sum":           {CatalogImageStatus{AccessCount: -1}, 0},
		"a negative reading":       {CatalogImageStatus{AccessCount: 1, AccessReadings: []AccessReading{{Replica: "a", Count: -1}}}, 0},
		"readings nobody can read": {CatalogImageStatus{AccessCount: 6, Damaged: []string{"status.accessReadings"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			assert.NotEmpty(t, tc.status.Damage(time.Now()))
			tc.status.Distrust()
			assert.Equal(t, tc.kept, tc.status.AccessCount)
			assert.Equal(t, tc.kept > 0, len(tc.status.AccessReadings) > 0)
			assert.Empty(t, tc.status.Damage(time.Now()))
		})
	}
}
