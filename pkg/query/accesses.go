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

// show sends what is told of an entry by itself, which counts as an access before anybody can have read it.
func (v *visitor) show(w http.ResponseWriter, r *http.Request, e *index.Entry, answer []byte) error {
	leave, err := v.hold(answer)
	if err != nil {
		return err
	}
	defer leave()
	countAccess(r, e)
	write(w, http.StatusOK, mediaJSON, answer)
	return nil
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
