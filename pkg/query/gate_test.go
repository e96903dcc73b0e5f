package query

import (
	"context"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOneCallerDoesNotTakeTheWholeGate(t *testing.T) {
	g := newGate(3, 2)
	first, err := g.enter("ann")
	require.NoError(t, err)
	_, err = g.enter("ann")
	require.NoError(t, err)
	_, err = g.enter("ann")
	var problem *Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusTooManyRequests, problem.Status)
	assert.Equal(t, 1, problem.retryAfter)
	assert.Contains(t, problem.Detail, "You have as many")

	bob, err := g.enter("bob")
	require.NoError(t, err)
	_, err = g.enter("eve")
	assert.ErrorContains(t, err, "as much to do as it can")
	first()
	_, err = g.enter("eve")
	require.NoError(t, err)
	bob()
	assert.NotContains(t, g.of, "bob", "whoever left is forgotten")
}

func TestAsManyScansAsThereAreProcessors(t *testing.T) {
	g := newGates()
	var leave func()
	for range runtime.GOMAXPROCS(0) {
		var err error
		leave, err = g.scan(t.Context(), "ann")
		require.NoError(t, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.scan(gone, "bob")
	require.ErrorContains(t, err, "nobody asked for lately")
	assert.NotContains(t, g.scans.of, "bob")
	leave()
	_, err = g.scan(t.Context(), "bob")
	require.NoError(t, err)
}
