package query

import (
	"fmt"
	"net/http"

	"github.com/julienschmidt/httprouter"
	"go.opentelemetry.io/otel/metric"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// unmatched is the route of requests that match none, and otherMethod their method, which may be anything.
const (
	unmatched   = "unmatched"
	otherMethod = "_OTHER" // as OpenTelemetry's semantic conventions have it
)

// endpoint answers one kind of request. It either writes an answer or returns an error; a *Problem becomes the
// answer, any other error a 500.
type endpoint func(w http.ResponseWriter, r *http.Request, path httprouter.Params) error

// route is what is answered where.
type route struct {
	method, path string
	answer       endpoint
}

// routes are all of them. A GET is a HEAD, too.
func routes(catalog *index.Index, reviewer *access.Reviewer, gates *gates, clients Clients, stopping *stopping) []route {
	read := func(next personal) endpoint { return complete(catalog, authenticated(reviewer, gates, next)) }
	write := func(next writing) endpoint {
		return complete(catalog, authenticated(reviewer, gates, asCaller(clients, next)))
	}
	const images, image = "/v1/namespaces/:namespace/images", "/v1/namespaces/:namespace/images/:name"
	return []route{
		{http.MethodGet, "/v1/images", read(list(catalog, stopping))},
		{http.MethodGet, images, read(list(catalog, stopping))},
		{http.MethodPost, images, write(add)},
		{http.MethodGet, image, read(get(catalog))},
		{http.MethodDelete, image, write(remove)},
		{http.MethodPost, image + "/verify", write(verify(catalog))},
		{http.MethodPost, image + "/recall", write(recall)},
		{http.MethodGet, "/v1/facets", read(countFacets(catalog))},
		{http.MethodGet, "/v1/resolve", read(resolve(catalog))},
		{http.MethodGet, "/openapi.json", openAPI()},
		{http.MethodGet, "/healthz", healthz},
		{http.MethodGet, "/readyz", readyz(catalog, stopping)},
	}
}

// newHandler routes requests to the endpoints and times them.
func newHandler(catalog *index.Index, reviewer *access.Reviewer, gates *gates, clients Clients, stopping *stopping, meter metric.Meter) (http.Handler, error) {
	times, err := newStopwatch(meter)
	if err != nil {
		return nil, err
	}
	if err := countEntries(meter, catalog); err != nil {
		return nil, err
	}
	router := httprouter.New()
	router.RedirectFixedPath, router.RedirectTrailingSlash = false, false
	router.NotFound = withoutPath(times.time(otherMethod, unmatched, refuse(notFound)))
	router.MethodNotAllowed = withoutPath(times.time(otherMethod, unmatched, refuse(methodNotAllowed)))
	for _, route := range routes(catalog, reviewer, gates, clients, stopping) {
		timed := times.time(route.method, route.path, route.answer)
		router.Handle(route.method, route.path, timed)
		if route.method == http.MethodGet {
			router.Handle(http.MethodHead, route.path, timed) // net/http leaves the body out
		}
	}
	return router, nil
}

// serve is httprouter.Handle, which, other than http.Handler, needs no copy of the request to carry the path in.
func (answer endpoint) serve(w http.ResponseWriter, r *http.Request, path httprouter.Params) {
	if err := answer(w, r, path); err != nil {
		writeProblem(w, err)
	}
}

func withoutPath(handle httprouter.Handle) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, nil) })
}

func refuse(why func(http.ResponseWriter, *http.Request) *Problem) endpoint {
	return func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error { return why(w, r) }
}

func notFound(_ http.ResponseWriter, r *http.Request) *Problem {
	return newProblem(http.StatusNotFound, fmt.Sprintf("Nothing is at %s. /openapi.json describes what is where; the catalog is at /v1/images.", quote(r.URL.Path)))
}

// methodNotAllowed names the methods that the router has just written into the header.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) *Problem {
	return newProblem(http.StatusMethodNotAllowed, fmt.Sprintf("The method %s is not allowed here; allowed are %s.", quote(r.Method), w.Header().Get("Allow")))
}
