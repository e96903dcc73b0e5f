package registry_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

func TestStates(t *testing.T) {
	s := newServer(t)
	client := newClient()
	assert.Empty(t, client.States())

	release, arrived := make(chan struct{}), make(chan struct{})
	s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
		close(arrived)
		<-release
		w.Header().Set("Retry-After", "60")
		return status(429, "TOOMANYREQUESTS")(w, r)
	}, "manifests"))
	ended := make(chan error)
	go func() {
		_, err := client.Head(t.Context(), s.ref("acme/os:1"), nil)
		ended <- err
	}()
	<-arrived
	assert.Equal(t, []registry.State{{Host: s.host, UnderWay: 1}}, client.States())
	close(release)
	require.Error(t, <-ended)
	assert.Equal(t, []registry.State{{Host: s.host, Throttled: 1}}, client.States())

	s.inject(status(503, "UNAVAILABLE"))
	for range 2 { // three attempts each
		_, err := client.Head(t.Context(), s.ref("acme/os:1"), password{})
		require.Error(t, err)
	}
	assert.Equal(t, []registry.State{{Host: s.host, Throttled: 1, Away: true}}, client.States())
}
