package query

import (
	"fmt"
	"net/http"

	"github.com/julienschmidt/httprouter"
	"go.opentelemetry.io/otel/metric"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// unmatched is the route of requests that match none.
const unmatched = "unmatched"

// endpoint answers one kind of request. It either writes an answer or returns an error; a *Problem becomes the
// answer, any other error a 500.
type endpoint func(w http.ResponseWriter, r *http.Request, path httprouter.Params) error

// newHandler routes requests to the endpoints and times them.
func newHandler(catalog *index.Index, reviewer *access.Reviewer, stopping *stopping, meter metric.Meter) (http.Handler, error) {
	times, err := newStopwatch(meter)
	if err != nil {
		return nil, err
	}
	if err := countEntries(meter, catalog); err != nil {
		return nil, err
	}
	router := httprouter.New()
	router.RedirectFixedPath, router.RedirectTrailingSlash = false, false
	router.NotFound = times.time(unmatched, refuse(notFound))
	router.MethodNotAllowed = times.time(unmatched, refuse(methodNotAllowed))
	for path, answer := range map[string]endpoint{
		"/v1/images":                             complete(catalog, authenticated(reviewer, list(catalog, stopping))),
		"/v1/namespaces/:namespace/images":       complete(catalog, authenticated(reviewer, list(catalog, stopping))),
		"/v1/namespaces/:namespace/images/:name": complete(catalog, authenticated(reviewer, get(catalog))),
		"/v1/facets":                             complete(catalog, authenticated(reviewer, countFacets(catalog))),
		"/v1/resolve":                            complete(catalog, authenticated(reviewer, resolve(catalog))),
		"/healthz":                               healthz,
		"/readyz":                                readyz(catalog, stopping),
	} {
		timed := times.time(path, answer)
		router.Handler(http.MethodGet, path, timed)
		router.Handler(http.MethodHead, path, timed) // net/http leaves the body out
	}
	return router, nil
}

// ServeHTTP implements http.Handler.
func (answer endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := answer(w, r, httprouter.ParamsFromContext(r.Context())); err != nil {
		writeProblem(w, err)
	}
}

func refuse(why func(*http.Request) *Problem) http.Handler {
	return endpoint(func(_ http.ResponseWriter, r *http.Request, _ httprouter.Params) error { return why(r) })
}

func notFound(r *http.Request) *Problem {
	return newProblem(http.StatusNotFound, fmt.Sprintf("Nothing is at %s. The catalog is at /v1/images, "+
		"/v1/namespaces/{namespace}/images[/{name}], /v1/facets and /v1/resolve.", quote(r.URL.Path)))
}

func methodNotAllowed(r *http.Request) *Problem {
	return newProblem(http.StatusMethodNotAllowed, fmt.Sprintf("The method %s is not allowed here; allowed are GET, HEAD and OPTIONS.", quote(r.Method)))
}
