package query

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"imagecatalog.dev/catalog/pkg/query/index"
)

const maxQuoted = 64

// Problem is the answer to a request that cannot be served: problem+json as in RFC 9457, with the members parameter
// and allowed where a parameter is to blame. Its type is about:blank, which RFC 9457 lets us leave out.
type Problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"`
	Allowed   string `json:"allowed,omitempty"`
	// RunnersUp says of the entries that match why none could be chosen.
	RunnersUp []runnerUp `json:"runnersUp,omitempty"`

	retryAfter int    // seconds; 0: not said
	challenge  string // how to say who asks; empty: not said
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

func newProblem(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

func badRequest(detail string) *Problem { return newProblem(http.StatusBadRequest, detail) }

func badParameter(parameter, allowed, detail string) *Problem {
	problem := badRequest(detail)
	problem.Parameter, problem.Allowed = parameter, allowed
	return problem
}

func unknownParameter(parameter string, known []string) *Problem {
	allowed := "none"
	if len(known) > 0 {
		allowed = strings.Join(known, ", ")
	}
	return badParameter(clip(parameter), allowed, "The parameter "+quote(parameter)+" is unknown here; known: "+allowed+".")
}

func unavailable(detail string) *Problem {
	problem := newProblem(http.StatusServiceUnavailable, detail)
	problem.retryAfter = 1
	return problem
}

// quote makes what a client sent fit to be shown back: escaped and not longer than a line.
func quote(text string) string { return strconv.Quote(clip(text)) }

func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	end := maxQuoted
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

// problemOf is what a client is told of an error.
func problemOf(err error) *Problem {
	var problem *Problem
	if !errors.As(err, &problem) {
		problem = newProblem(http.StatusInternalServerError, err.Error())
	}
	return problem
}

func writeProblem(w http.ResponseWriter, err error) {
	problem := problemOf(err)
	for _, field := range []string{"ETag", "Link", "Content-Encoding"} { // of the answer that there might have been
		w.Header().Del(field)
	}
	if problem.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(problem.retryAfter))
	}
	if problem.challenge != "" {
		w.Header().Set("WWW-Authenticate", problem.challenge)
	}
	write(w, problem.Status, "application/problem+json", append(index.Encode(problem), '\n'))
}
