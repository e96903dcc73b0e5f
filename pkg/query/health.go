package query

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// healthz answers GET /healthz: the process serves HTTP. Nothing that a restart would not mend makes it fail.
func healthz(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	write(w, http.StatusOK, mediaText, []byte("ok\n"))
	return nil
}

// readyz answers GET /readyz: the index holds the whole catalog and the server is not about to stop.
func readyz(catalog *index.Index, stopping *stopping) endpoint {
	return complete(catalog, func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
		if stopping.announced.Load() {
			return unavailable("The server is stopping.")
		}
		write(w, http.StatusOK, mediaText, []byte("ok\n"))
		return nil
	})
}

// complete refuses requests until the index holds the whole catalog: part of it would pass for all of it.
func complete(catalog *index.Index, next endpoint) endpoint {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params) error {
		if !catalog.Synced() {
			return unavailable("The catalog is still being read from the API server. Try again in a moment.")
		}
		return next(w, r, path)
	}
}
