//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Clients ask through the Service's address while both replicas of the query server are replaced: every request is answered.
func TestWhileTheQueryServerIsReplacedItAnswers(t *testing.T) {
	var clients errgroup.Group
	var stopping atomic.Bool
	var answered atomic.Int64
	for n := range 8 {
		client := newQueryClient(t)
		client.client.Transport.(*http.Transport).DisableKeepAlives = n%2 == 0 // each goes where the Service sends it
		clients.Go(func() error {
			for !stopping.Load() {
				if status, body, err := client.get(t.Context(), "/v1/images"); err != nil || status != http.StatusOK {
					return fmt.Errorf("%d %s: %w", status, body, err)
				}
				answered.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		})
	}
	t.Cleanup(func() { stopping.Store(true) })
	mustCommand(t, "kubectl", "--namespace", "image-catalog", "rollout", "restart", "deployment/query")
	mustCommand(t, "kubectl", "--namespace", "image-catalog", "rollout", "status", "deployment/query", "--timeout=120s")
	before := answered.Load()
	require.Positive(t, before)
	time.Sleep(10 * time.Second) // so long the old pods still answer who asks them
	stopping.Store(true)
	assert.NoError(t, clients.Wait())
	assert.Greater(t, answered.Load(), before)
	t.Logf("%d requests were answered", answered.Load())
}
