package faults

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// quiet drops what servers say about connections that faults broke.
var quiet = log.New(io.Discard, "", 0)

// Request is what came to a proxy, and what became of it.
type Request struct {
	At     time.Time
	Host   string
	Method string
	Target string // path and query
	Header http.Header
	Body   string
	Status int    // of the answer; 0 without one
	Fault  string // what answered in the registry's place
}

// String is the request in a line. Digests are shortened, so that people can tell them apart.
func (r Request) String() string {
	text := r.Method + " " + Shorten(r.Target) + " -> "
	if r.Status == 0 {
		text += "no answer"
	} else {
		text += fmt.Sprint(r.Status)
	}
	if r.Fault != "" {
		text += " (" + r.Fault + ")"
	}
	return text
}

var digest = regexp.MustCompile(`sha256([:-])([0-9a-f]{8})[0-9a-f]{56}`)

// Shorten keeps eight digits of each SHA-256 digest.
func Shorten(text string) string { return digest.ReplaceAllString(text, "sha256$1$2") }

// Log is the requests to a proxy.
type Log []Request

// At gives those whose method and target contain the text.
func (l Log) At(text string) Log {
	var found Log
	for _, request := range l {
		if strings.Contains(request.Method+" "+request.Target, text) {
			found = append(found, request)
		}
	}
	return found
}

// Lines are the requests, one each.
func (l Log) Lines() []string {
	lines := make([]string, len(l))
	for i, request := range l {
		lines[i] = request.String()
	}
	return lines
}

// String is the log as a failed test shows it.
func (l Log) String() string {
	if len(l) == 0 {
		return "no request arrived"
	}
	lines := make([]string, len(l))
	for i, request := range l {
		lines[i] = fmt.Sprintf("%s %s %s", request.At.Format("15:04:05.000"), request.Host, request)
	}
	return strings.Join(lines, "\n")
}

// BasicAuth is the user and the password that the request carries.
func (r Request) BasicAuth() (user, password string, ok bool) {
	return (&http.Request{Header: r.Header}).BasicAuth()
}
