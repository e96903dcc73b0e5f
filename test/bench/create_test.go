package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func roundsOf(t *testing.T, cpu float64, perSecond ...float64) rounds {
	t.Helper()
	var all rounds
	for n, rate := range perSecond {
		s := sample{perSecond: rate, p99: time.Duration(n+1) * time.Millisecond}
		require.NoError(t, all.add(s, cpuTime{cpu, cpu * float64(n)}, nil))
	}
	return all
}

func TestEveryWayToCreateHasItsPlaceInTheFigures(t *testing.T) {
	made := &turns{
		stored:   roundsOf(t, 1, 900, 1000, 1100),
		called:   roundsOf(t, 2, 500, 400, 300),
		admitted: roundsOf(t, 3, 200, 100, 200),
	}
	assert.Equal(t, []cpuRow{
		{"without webhooks", cpuTime{1, 1}},
		{"webhooks that do nothing", cpuTime{2, 2}},
		{"the catalog's webhook", cpuTime{3, 3}},
	}, made.rows())

	c := &createEntries{name: "create"}
	assert.Equal(t, []string{
		"create/rate                                        200 entries/s against 1000: ratio 0.2, goal 0.5 MISSED",
		"create/p99                                           2 ms against 2: ratio 1",
		"create/cpu                                           6 ms against 2: ratio 3",
		"create/calls                                       200 entries/s against 400: ratio 0.5",
	}, linesOf(c.figures(made)))
}

func TestTheFiguresAreThoseThatAreListed(t *testing.T) {
	measured := turns{stored: roundsOf(t, 1, 1), called: roundsOf(t, 1, 1), admitted: roundsOf(t, 1, 1)}
	assert.Equal(t, createEntry(settings{}).figures, namesOf((&createEntries{name: "create/connections=32"}).figures(&measured)))
}
