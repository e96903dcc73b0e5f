package query

import (
	"net/http"
	"net/url"

	"github.com/julienschmidt/httprouter"
	"github.com/munnerz/goautoneg"
)

const (
	mediaJSON = "application/json"
	mediaText = "text/plain"
)

// list answers GET /v1/images and GET /v1/namespaces/{namespace}/images: a page of the entries that match, newest
// first, as JSON or, where the client prefers text/plain, as a table for people.
func list(index *Index) endpoint {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params) error {
		w.Header().Set("Vary", "Accept")
		media, err := negotiate(r.Header.Get("Accept"))
		if err != nil {
			return err
		}
		q, err := parseQuery(r.URL.RawQuery, path.ByName("namespace"))
		if err != nil {
			return err
		}
		entries, total, more := index.snapshot().page(q)
		next := ""
		if more {
			next = newToken(&q.filter, entries[len(entries)-1].key).String()
			w.Header().Set("Link", linkToNext(r.URL, next))
		}
		if media == mediaText {
			write(w, http.StatusOK, mediaText+"; charset=utf-8", table(entries))
			return nil
		}
		write(w, http.StatusOK, mediaJSON, encodePage(entries, total, next))
		return nil
	}
}

func negotiate(accept string) (string, error) {
	if accept == "" {
		return mediaJSON, nil
	}
	media := goautoneg.Negotiate(accept, []string{mediaJSON, mediaText})
	if media == "" {
		return "", newProblem(http.StatusNotAcceptable,
			"A listing is to be had as application/json or text/plain; Accept asks for "+quote(accept)+".")
	}
	return media, nil
}

// linkToNext is a Link field (RFC 8288). Its target is relative, so that it holds behind any proxy.
func linkToNext(here *url.URL, token string) string {
	parameters := here.Query()
	parameters.Set("continue", token)
	return "<?" + parameters.Encode() + `>; rel="next"`
}
