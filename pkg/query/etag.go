package query

import (
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// weakTag is a weak entity tag (RFC 9110, section 8.8.1): two answers that say the same have the same.
func weakTag(said []byte) string {
	hash := fnv.New64a()
	_, _ = hash.Write(said) // a hash takes all it is given
	return `W/"` + strconv.FormatUint(hash.Sum64(), 36) + `"`
}

// tagOf leaves out of a page when entries were last checked, the version and the token, which change without anything new
// to tell.
func tagOf(page index.Page, fields []string) string {
	said := binary.LittleEndian.AppendUint64(make([]byte, 0, 512), uint64(page.Total)) //nolint:gosec // a count
	for _, field := range fields {
		said = append(append(said, field...), ',')
	}
	for _, e := range page.Entries {
		said = binary.LittleEndian.AppendUint64(said, e.Hash)
	}
	return weakTag(said)
}

// unchanged says whether a client has what a tag stands for, and answers so (RFC 9110, section 13.1.2).
func unchanged(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	wanted := r.Header.Get("If-None-Match")
	if wanted == "" {
		return false
	}
	for known := range strings.SplitSeq(wanted, ",") {
		if known = strings.TrimSpace(known); known == tag || known == strings.TrimPrefix(tag, "W/") || known == "*" {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}
