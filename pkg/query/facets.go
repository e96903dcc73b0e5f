package query

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// maxValues bounds the values of a facet that an answer lists.
const maxValues = 500

// facet is what an answer says of a facet: the values that entries have, the most frequent first, and how many entries
// have each.
type facet struct {
	Values []facetValue `json:"values"`
	More   bool         `json:"more,omitempty"` // there are more values than are listed
}

type facetValue struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// countFacets answers GET /v1/facets: by which values the entries that match can be narrowed down. A facet that is
// a parameter of the query is counted under it, too.
func countFacets(catalog *index.Index) personal {
	return func(w http.ResponseWriter, r *http.Request, _ httprouter.Params, who *visitor) error {
		q, snapshot, err := filtered(r, catalog, who)
		if err != nil {
			return err
		}
		answer := struct {
			Facets map[string]facet `json:"facets"`
			Total  int              `json:"total"`
		}{map[string]facet{}, snapshot.Total(q)}
		for name, kind := range facets {
			answer.Facets[name] = facetOf(snapshot.Counts(kind, q))
		}
		body := append(index.Encode(answer), '\n')
		if unchanged(w, r, weakTag(body)) {
			return nil
		}
		return who.send(w, mediaJSON, shortened(w, r, body))
	}
}

func facetOf(counts []index.Count) facet {
	f := facet{Values: []facetValue{}, More: len(counts) > maxValues}
	for _, c := range counts[:min(len(counts), maxValues)] {
		f.Values = append(f.Values, facetValue(c))
	}
	return f
}
