package query

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// minCompressed is the size of an answer, in bytes, from which compressing it pays: below, it costs more time than it
// saves on a network of a cluster.
const minCompressed = 64 << 10

var compressors = sync.Pool{New: func() any {
	compressor, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // only for a level that is none
	}
	return compressor
}}

// write sends a whole answer. Its error would mean that the client has left, which is not ours to report.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// shortened gives what to send of an answer: it is compressed if it is long and the client takes that.
func shortened(w http.ResponseWriter, r *http.Request, body []byte) []byte {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) < minCompressed || !takesGzip(r.Header.Get("Accept-Encoding")) {
		return body
	}
	w.Header().Set("Content-Encoding", "gzip")
	return compress(body)
}

func compress(body []byte) []byte {
	var compressed bytes.Buffer
	compressor := compressors.Get().(*gzip.Writer)
	defer compressors.Put(compressor)
	compressor.Reset(&compressed)
	_, _ = compressor.Write(body) // a buffer takes all it is given
	_ = compressor.Close()
	return compressed.Bytes()
}

// takesGzip reads a field Accept-Encoding (RFC 9110, section 12.5.3) as far as it speaks of gzip.
func takesGzip(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, parameter, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" || name == "*" {
			weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(parameter), "q="), 64)
			return strings.TrimSpace(parameter) == "" || (err == nil && weight > 0)
		}
	}
	return false
}
