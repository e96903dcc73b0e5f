package main

import (
	"cmp"
	"math"
	"slices"
)

// median of at least one value; of an even number, the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the smallest of the values that at least p percent of them do not exceed (the nearest rank). It sorts
// the values, of which there is at least one.
func percentile[T cmp.Ordered](values []T, p float64) T {
	slices.Sort(values)
	rank := int(math.Ceil(p / 100 * float64(len(values))))
	return values[max(rank, 1)-1]
}
