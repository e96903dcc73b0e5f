package main

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	assert.InDelta(t, 5, median(values), 0)
	assert.Equal(t, []float64{9, 1, 5}, values, "the order of the rounds is the caller's")
	assert.InDelta(t, 3, median([]float64{9, 1, 5, 1}), 0)
	assert.InDelta(t, 7, median([]float64{7}), 0)
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	hundred := rand.Perm(100) // 0 to 99
	assert.Equal(t, 98, percentile(hundred, 99), "99 of 100 do not exceed it")
	assert.Equal(t, 49, percentile(hundred, 50))
	assert.Equal(t, 0, percentile(hundred, 0))
	assert.Equal(t, 99, percentile(hundred, 100))
	assert.Equal(t, 3, percentile([]int{3, 1, 2}, 99), "of few values, the largest")
}
