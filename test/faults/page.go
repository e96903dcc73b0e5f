package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// pageParameter counts the pages that were sent, in the links that the faults make.
const pageParameter = "page"

func pageOf(r *http.Request) int {
	page, err := strconv.Atoi(r.URL.Query().Get(pageParameter))
	if err != nil {
		return 0 // the first has no number
	}
	return page
}

// linkNext names the next page (RFC 8288), at an address or, if that is empty, at the same host.
func linkNext(w http.ResponseWriter, r *http.Request, address string) {
	query := url.Values{pageParameter: {strconv.Itoa(pageOf(r) + 1)}}
	w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, address, r.URL.Path, query.Encode()))
}

// Endless has every page of a list followed by another.
func Endless() Fault {
	return Fault{Name: "endless", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		linkNext(w, r, "")
		registry.ServeHTTP(w, r)
	}}
}

// Elsewhere has the next page of a list at another address.
func Elsewhere(address string) Fault {
	return Fault{Name: "elsewhere", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		linkNext(w, r, address)
		registry.ServeHTTP(w, r)
	}}
}

// Paged cuts an index that the registry sends in one piece into pages of a few manifests.
func Paged(size int) Fault {
	return Fault{Name: "paged", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		answer := recorded(registry, r)
		var index map[string]any
		if err := json.Unmarshal(answer.Body.Bytes(), &index); err != nil {
			send(w, answer, answer.Body.Bytes()) // no index to cut
			return
		}
		all, _ := index["manifests"].([]any)
		slices.SortFunc(all, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) // some registries shuffle them
		begin := min(pageOf(r)*size, len(all))
		end := min(begin+size, len(all))
		if end < len(all) {
			linkNext(w, r, "")
		}
		index["manifests"] = all[begin:end]
		page, err := json.Marshal(index)
		if err != nil {
			panic(err) // of what was unmarshalled
		}
		send(w, answer, page)
	}}
}
