package query

import (
	"maps"
	"net/http"
	"net/url"

	"github.com/julienschmidt/httprouter"
	"github.com/munnerz/goautoneg"

	"imagecatalog.dev/catalog/pkg/query/index"
)

const (
	mediaJSON = "application/json"
	mediaText = "text/plain"
)

// list answers GET /v1/images and GET /v1/namespaces/{namespace}/images: a page of the entries that match, newest
// first unless another order is asked for, as JSON or, where the client prefers text/plain, as a table for people.
func list(catalog *index.Index, stopping *stopping) personal {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params, who *visitor) error {
		w.Header().Add("Vary", "Accept")
		p, err := parseListing(r.URL.RawQuery, path.ByName("namespace"))
		if err != nil {
			return err
		}
		if p.watch {
			return watch(w, r, newView(catalog, who, verbWatch, p), p, stopping)
		}
		media, err := negotiate(r.Header.Get("Accept"))
		if err != nil {
			return err
		}
		if err := p.checkUse(media); err != nil {
			return err
		}
		v := newView(catalog, who, verbList, p)
		if err := v.restrict(r.Context(), p); err != nil {
			return err
		}
		snapshot, err := p.at(r.Context(), v)
		if err != nil {
			return err
		}
		return answerPage(w, r, p, snapshot, media, who)
	}
}

// checkUse refuses what would be ignored in a page.
func (p *parameters) checkUse(media string) error {
	switch {
	case p.since != "":
		return badParameter("resourceVersion", "with watch=true", "The parameter resourceVersion says from where to watch; it goes with watch=true. A page is of the catalog as it is, and the next ones are found by continue.")
	case p.fields != nil && media == mediaText:
		return badParameter("fields", "with application/json", "The parameter fields is for JSON; a table, which Accept asks for, has columns of its own.")
	}
	return nil
}

func answerPage(w http.ResponseWriter, r *http.Request, p *parameters, snapshot *index.Snapshot, media string, who *visitor) error {
	page := snapshot.Page(&p.Query)
	next := ""
	if page.More {
		last := page.Entries[len(page.Entries)-1]
		next = token{Query: p.identity, Version: snapshot.Version, Key: p.Order.Key(last), Namespace: last.Namespace, Name: last.Name}.String()
		w.Header().Set("Link", linkToNext(p.said, next))
	}
	if media == mediaText {
		return who.send(w, mediaText+"; charset=utf-8", table(page.Entries))
	}
	if unchanged(w, r, tagOf(page, p.fields)) {
		return nil
	}
	encode := func(to []byte) []byte { return encodePage(to, page, snapshot.Version, next, p.fields) }
	return inMemory(encode, func(body []byte) error { return who.send(w, mediaJSON, shortened(w, r, body)) })
}

func negotiate(accept string) (string, error) {
	switch accept {
	case "", "*/*", mediaJSON:
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
func linkToNext(here url.Values, token string) string {
	next := maps.Clone(here)
	next.Set("continue", token)
	return "<?" + next.Encode() + `>; rel="next"`
}
