package faults

import (
	"net/http"
	"strings"
	"sync/atomic"
)

// Fault answers requests in the place of a registry, or spoils what the registry answers.
type Fault struct {
	// Name in the log of requests.
	Name string

	at    []string      // each is in the method and path of requests that it applies to
	left  *atomic.Int64 // how many more; nil for all
	serve func(w http.ResponseWriter, r *http.Request, registry http.Handler)
}

// At is the fault for no other requests than those whose method and path contain the text, such as /manifests/.
func (f Fault) At(text string) Fault {
	f.at = append(f.at[:len(f.at):len(f.at)], text)
	return f
}

func (f Fault) applies(r *http.Request) bool {
	for _, text := range f.at {
		if !strings.Contains(r.Method+" "+r.URL.Path, text) {
			return false
		}
	}
	return f.left == nil || f.left.Add(-1) >= 0
}

// Times is the fault for no more than the first so many requests that it applies to.
func (f Fault) Times(most int) Fault {
	f.left = &atomic.Int64{}
	f.left.Store(int64(most))
	return f
}
