package faults

import (
	"fmt"
	"net/http"
	"strings"
)

// Status answers with a status, and the error that registries put into the body with it.
func Status(code int) Fault {
	return Fault{Name: fmt.Sprint(code), serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, code) }}
}

// RetryAfter answers likewise, and says when to come again: a number of seconds or a date.
func RetryAfter(code int, when string) Fault {
	return Fault{Name: fmt.Sprintf("%d, Retry-After", code), serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", when)
		refuse(w, code)
	}}
}

func refuse(w http.ResponseWriter, code int) {
	name := strings.ToUpper(strings.ReplaceAll(http.StatusText(code), " ", ""))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"injected"}]}`, name) // to a client that may have left
}

// Redirect sends the client to the same path below another address, such as https://10.0.0.1.
func Redirect(address string) Fault {
	return Fault{Name: "redirect", serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Location", address+r.URL.RequestURI())
		w.WriteHeader(http.StatusTemporaryRedirect) // the one after which a client repeats a request's body
	}}
}

// Realm has the registry name another token server than it would.
func Realm(address string) Fault {
	return Fault{Name: "realm", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		answer := recorded(registry, r)
		for i, challenge := range answer.Header()["Www-Authenticate"] {
			if before, after, ok := strings.Cut(challenge, `realm="`); ok {
				_, after, _ = strings.Cut(after, `"`)
				answer.Header()["Www-Authenticate"][i] = before + `realm="` + address + `"` + after
			}
		}
		send(w, answer, answer.Body.Bytes())
	}}
}

// Challenge answers 401 and wants to be authenticated to in this way.
func Challenge(challenge string) Fault {
	return Fault{Name: "challenge", serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("WWW-Authenticate", challenge)
		refuse(w, http.StatusUnauthorized)
	}}
}
