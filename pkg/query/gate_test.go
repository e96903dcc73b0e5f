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
	first, err := g.enter("ann", 1)
	require.NoError(t, err)
	_, err = g.enter("ann", 1)
	require.NoError(t, err)
	_, err = g.enter("ann", 1)
	var problem *Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusTooManyRequests, problem.Status)
	assert.Equal(t, 1, problem.retryAfter)
	assert.Contains(t, problem.Detail, "You have as many")

	bob, err := g.enter("bob", 1)
	require.NoError(t, err)
	_, err = g.enter("eve", 1)
	assert.ErrorContains(t, err, "as much to do as it can")
	first()
	_, err = g.enter("eve", 1)
	require.NoError(t, err)
	bob()
	assert.NotContains(t, g.of, "bob", "whoever left is forgotten")
}

func TestWhatIsTooLargeForTheGateComesInAlone(t *testing.T) {
	g := newGate(100, 60)
	ann, err := g.enter("ann", 50)
	require.NoError(t, err)
	_, err = g.enter("ann", 11)
	require.ErrorContains(t, err, "You have as many")
	_, err = g.enter("bob", 51)
	require.ErrorContains(t, err, "as much to do as it can")
	bob, err := g.enter("bob", 50)
	require.NoError(t, err)
	ann()
	bob()
	assert.Zero(t, g.in)
	_, err = g.enter("ann", 1000)
	require.NoError(t, err)
	_, err = g.enter("bob", 1)
	require.ErrorContains(t, err, "as much to do as it can")
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
