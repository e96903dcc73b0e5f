package v1alpha1

import (
	"maps"
	"math"
	"slices"
)

// MarkAccesses adds what replicas of the query server have counted, each since it started, but for what is in AccessCount
// already. Nothing is added twice, however often it is called, because what was added is written beside the sum. The
// reading of a replica is forgotten when it has ended: whoever says so must never again give what it counted.
//
// As many replicas as fit are counted; those above take the place of others that end.
func (s *CatalogImageStatus) MarkAccesses(counted map[string]int64, ended func(replica string) bool) {
	readings := slices.DeleteFunc(slices.Clone(s.AccessReadings), func(r AccessReading) bool {
		return counted[r.Replica] == 0 && ended(r.Replica)
	})
	for _, replica := range slices.Sorted(maps.Keys(counted)) {
		n := slices.IndexFunc(readings, func(r AccessReading) bool { return r.Replica == replica })
		if n < 0 && len(readings) < MaxAccessReadings {
			n, readings = len(readings), append(readings, AccessReading{Replica: replica})
		}
		if n < 0 || counted[replica] <= readings[n].Count {
			continue
		}
		s.AccessCount += min(counted[replica]-readings[n].Count, math.MaxInt64-s.AccessCount)
		readings[n].Count = counted[replica]
	}
	s.AccessReadings = readings
}

// AccessesOf is what of AccessCount a replica of the query server has counted.
func (s *CatalogImageStatus) AccessesOf(replica string) int64 {
	for _, r := range s.AccessReadings {
		if r.Replica == replica {
			return r.Count
		}
	}
	return 0
}

// accessesFit says whether the sum can be one of these readings.
func (s *CatalogImageStatus) accessesFit() bool {
	rest := s.AccessCount
	for _, r := range s.AccessReadings {
		if r.Count < 0 {
			return false
		}
		rest -= r.Count
	}
	return rest >= 0 && s.AccessCount >= 0 && !slices.Contains(s.Damaged, "status.accessReadings")
}
