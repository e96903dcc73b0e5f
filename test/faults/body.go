package faults

import (
	"bytes"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// recorded is the registry's whole answer.
func recorded(registry http.Handler, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	registry.ServeHTTP(answer, r)
	return answer
}

// send passes an answer on with another body, whose length it announces.
func send(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	maps.Copy(w.Header(), answer.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // to a client that may have left
}

// spoilt is a fault that changes the body of the registry's answer.
func spoilt(name string, change func([]byte) []byte) Fault {
	return Fault{Name: name, serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		answer := recorded(registry, r)
		send(w, answer, change(answer.Body.Bytes()))
	}}
}

// Replaced sends this in place of what the registry has.
func Replaced(body string) Fault {
	return spoilt("replaced", func([]byte) []byte { return []byte(body) })
}

// Altered changes one byte of what the registry has, within a string of the JSON so that it can still be read.
func Altered() Fault {
	return spoilt("altered", func(body []byte) []byte { return bytes.Replace(body, []byte("linux"), []byte("minix"), 1) })
}

// Shortened sends the first half as if it were all.
func Shortened() Fault {
	return spoilt("shortened", func(body []byte) []byte { return body[:len(body)/2] })
}

// Oversized fills up to a number of bytes with what JSON ignores.
func Oversized(size int) Fault {
	return spoilt("oversized", func(body []byte) []byte {
		return append(body, bytes.Repeat([]byte(" "), max(size-len(body), 0))...)
	})
}

// half sends the whole header and half of the body, so that the client waits for the rest.
func half(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	body := answer.Body.Bytes()
	maps.Copy(w.Header(), answer.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush() // both to a client that may have left
}

// Truncated ends the connection in good order after half of the body.
func Truncated() Fault {
	return Fault{Name: "truncated", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		half(w, recorded(registry, r))
		panic(http.ErrAbortHandler) // net/http's way to say that the answer is not whole
	}}
}

// Reset breaks the connection after half of the body, as a firewall or a crash does.
func Reset() Fault {
	return Fault{Name: "reset", serve: func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
		half(w, recorded(registry, r))
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if secured, ok := connection.(interface{ NetConn() net.Conn }); ok {
			connection = secured.NetConn()
		}
		if plain, ok := connection.(*net.TCPConn); ok {
			_ = plain.SetLinger(0) // closing then sends RST
		}
		_ = connection.Close()
	}}
}
