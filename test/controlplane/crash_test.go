//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/test/plane"
)

// The controller is killed before and after each of its writes, and started again: everything is as if nothing had been. No
// Event is lost, and none is told twice.
//
// Without CAMPAIGN=full each turn of an entry's life has a crash at one of its writes, another one in each run.
func TestTheControllerCrashesBetweenAnyTwoWrites(t *testing.T) {
	stages := newStages(t)
	for _, turn := range turns {
		t.Run(turn.name, func(t *testing.T) {
			smooth := stages.open(t)
			smooth.play(turn)
			want := smooth.seen()
			for _, point := range pointsOf(turn) {
				t.Run(point.String(), func(t *testing.T) { stages.open(t).playWithCrash(turn, point, want) })
			}
		})
	}
}

// point is where the controller crashes.
type point struct {
	write  int // the first is 1
	stored bool
}

func (p point) String() string {
	if p.stored {
		return fmt.Sprintf("after write %d", p.write)
	}
	return fmt.Sprintf("before write %d", p.write)
}

// pointsOf are all points of a turn, or one of them.
func pointsOf(turn *turn) (points []point) {
	for write := range len(turn.writes) {
		points = append(points, point{write + 1, false}, point{write + 1, true})
	}
	if os.Getenv(campaignVariable) == "full" {
		return points
	}
	chosen := int(time.Now().Unix()) % len(points)
	return points[chosen : chosen+1]
}

// playWithCrash has the controller crash at a point of the turn, and start again.
func (s *stage) playWithCrash(turn *turn, at point, want scene) {
	s.prepare(turn)
	over := s.gateway.CrashAt(at.write, at.stored)
	turn.do(s)
	select {
	case <-over:
	case <-time.After(patience):
		require.Fail(s.t, "the controller did not write so much", "%v", s.gateway.Writes())
	}
	s.start()

	assert.Eventually(s.t, func() bool { return assert.ObjectsAreEqual(want, s.seen()) }, patience, pause)
	time.Sleep(quiet)
	assert.Equal(s.t, want, s.seen())
}

// restart has something happen while no controller runs.
func (s *stage) restart(do func()) {
	require.NoError(s.t, installed.Controller.Kill())
	do()
	s.start()
}

// start starts the controller, and has it lead at once.
func (s *stage) start() {
	require.NoError(s.t, installed.EndTerm(s.t.Context()))
	require.NoError(s.t, installed.Controller.Start(s.t.Context()))
}

// withGateway puts a gateway before the controller until the test ends.
func withGateway(t *testing.T) *plane.Gateway {
	t.Helper()
	require.NoError(t, installed.Controller.Stop())
	gateway, err := installed.NewGateway(installed.Controller)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if installed.Controller.Running() {
			assert.NoError(t, installed.Controller.Kill())
		}
		gateway.Close()
		assert.NoError(t, installed.EndTerm(ctx))
		assert.NoError(t, installed.Controller.Start(ctx))
	})
	require.NoError(t, installed.Controller.Start(t.Context()))
	return gateway
}
