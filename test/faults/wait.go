package faults

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Silent takes requests and answers none.
func Silent() Fault { return Held(nil) }

// Held has the registry answer once the gate is closed; until then the client waits.
func Held(gate <-chan struct{}) Fault {
	return Fault{Name: "held", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		select {
		case <-gate:
			registry.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}}
}

// Late has the registry answer after a time, as one on another continent does.
func Late(by time.Duration) Fault {
	return Fault{Name: "late", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		select {
		case <-time.After(by):
			registry.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}}
}

// Dripping sends the header, and then a byte each second.
func Dripping() Fault {
	return Fault{Name: "dripping", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		answer := recorded(registry, r)
		maps.Copy(w.Header(), answer.Header())
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		for _, drop := range answer.Body.Bytes() {
			if _, err := w.Write([]byte{drop}); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
				return
			}
		}
	}}
}
