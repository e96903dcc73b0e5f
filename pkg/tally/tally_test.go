package tally

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// serve gives the address of a server.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestATallyIsReadAsItIs(t *testing.T) {
	counts := map[types.UID]int64{}
	address := serve(t, NewServer(func() Tally { return Tally{Replica: "a", Counts: counts} }).Handler)
	read, err := NewReader().Read(t.Context(), address)
	require.NoError(t, err)
	assert.Equal(t, Tally{Replica: "a", Counts: map[types.UID]int64{}}, read)
	counts["1"] = 3
	read, err = NewReader().Read(t.Context(), address)
	require.NoError(t, err)
	assert.Equal(t, Tally{Replica: "a", Counts: map[types.UID]int64{"1": 3}}, read)
}

func TestWhatIsNoTallyIsRefused(t *testing.T) {
	for body, why := range map[string]string{
		`{"counts": {"1": 3}}`:                                   "does not say which replica",
		`{"replica": "` + strings.Repeat("a", 65) + `"}`:         "does not say which replica",
		`{"replica": "a", "counts": {"1": -1}}`:                  "has counted -1 of 1",
		`{"replica": "a", "counts": {"1": 9223372036854775808}}`: "cannot unmarshal",
		`{"replica": "a", "counts": {"`:                          "unexpected EOF",
		"ok":                                                     "invalid character",
	} {
		address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		_, err := NewReader().Read(t.Context(), address)
		require.ErrorContains(t, err, why)
		assert.ErrorContains(t, err, "reading what "+address+" has counted")
	}
}

func TestAnAnswerWithoutEndIsNotReadToIt(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, `{"replica": "`)
		for err == nil {
			_, err = io.WriteString(w, strings.Repeat("a", 1<<16))
		}
	}))
	_, err := NewReader().Read(t.Context(), address)
	assert.ErrorContains(t, err, "unexpected EOF")
}

func TestAReaderGoesNowhereElse(t *testing.T) {
	elsewhere := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	address := serve(t, http.RedirectHandler("http://"+elsewhere, http.StatusFound))
	_, err := NewReader().Read(t.Context(), address)
	assert.ErrorContains(t, err, "302")
}
