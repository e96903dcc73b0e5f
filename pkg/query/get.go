package query

import (
	"fmt"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// get answers GET /v1/namespaces/{namespace}/images/{name}: one entry with all that is known of it, as JSON.
func get(catalog *index.Index) personal {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params, who *visitor) error {
		if _, err := parseParameters(r.URL.RawQuery, nil); err != nil {
			return err
		}
		namespace, name := path.ByName("namespace"), path.ByName("name")
		if err := who.require(r.Context(), verbGet, namespace, name); err != nil {
			return err
		}
		e := catalog.Latest().Get(namespace, name)
		if e == nil {
			return newProblem(http.StatusNotFound, fmt.Sprintf(
				"The namespace %s has no entry %s. GET /v1/namespaces/{namespace}/images lists those it has.", quote(namespace), quote(name)))
		}
		answer := e.JSON()
		leave, err := who.hold(answer)
		if err != nil {
			return err
		}
		defer leave()
		countAccess(r, e)
		write(w, http.StatusOK, mediaJSON, answer)
		return nil
	}
}
