package query

import (
	"crypto/rand"
	"net"
	"net/http"

	"imagecatalog.dev/catalog/pkg/query/index"
	"imagecatalog.dev/catalog/pkg/tally"
)

// countAccess counts that an entry is shown by itself to somebody who asked for it, or for one like it. A HEAD shows nothing.
func countAccess(r *http.Request, e *index.Entry) {
	if r.Method == http.MethodGet {
		e.Access()
	}
}

// newTally gives the server of what is counted from now on.
func newTally(catalog *index.Index) *http.Server {
	replica := rand.Text()
	return tally.NewServer(func() tally.Tally {
		return tally.Tally{Replica: replica, Counts: catalog.Latest().Accesses()}
	})
}

// Listeners are where a replica is asked: Catalog by users, which must be one of TLS, and Tally by the controller.
type Listeners struct{ Catalog, Tally net.Listener }
