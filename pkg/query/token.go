package query

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// maxToken bounds a token: a namespace of 63 bytes, a name of 253 and the rest need a third of it.
const maxToken = 1024

// token is where a walk over the pages of a listing stands: base64url (RFC 4648, section 5, without padding) of this
// as JSON. It says what a client could have said itself and grants nothing, so it is not signed.
//
// A walk promises this. No entry comes twice. An entry that is there from the first page to the last, and matches
// all the time, comes once. An entry that is published, deleted, changed so that it begins or ceases to match, or
// deleted and made again during the walk may or may not come: each page shows the catalog as it is then, and a new
// entry sorts before the place where the walk already is. The total, too, is that of the moment.
type token struct {
	Query     uint64 `json:"q"` // the filter's hash: a place in one listing means nothing in another
	Published int64  `json:"t"`
	Namespace string `json:"s"`
	Name      string `json:"n"`
}

func newToken(f *filter, last key) token {
	return token{Query: f.hash(), Published: last.published, Namespace: last.namespace, Name: last.name}
}

func (t token) String() string {
	return base64.RawURLEncoding.EncodeToString(encode(t))
}

// parseToken gives the place that a token names. Only what String wrote is accepted, byte for byte, so that a token
// has one spelling and a later form cannot be taken for this one. The error is a *Problem.
func parseToken(text string, f *filter) (*key, error) {
	var t token
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text[:min(len(text), maxToken)])
	if err == nil {
		err = json.Unmarshal(decoded, &t)
	}
	if err != nil || t.String() != text {
		return nil, badParameter("continue", allowedContinue,
			"The parameter continue is not a token of this server; allowed is "+allowedContinue+".")
	}
	if t.Query != f.hash() {
		return nil, badParameter("continue", allowedContinue,
			"The parameter continue belongs to another query. Repeat the parameters of the first page, or leave continue out to begin again.")
	}
	return &key{published: t.Published, namespace: t.Namespace, name: t.Name}, nil
}

// hash tells filters apart. It is the same in every replica.
func (f *filter) hash() uint64 {
	hash := fnv.New64a()
	fields := []string{f.namespace, f.architecture, f.distro, f.target, f.channel, f.tag, string(f.phase)}
	_, _ = fmt.Fprintf(hash, "%q", fields) // quoted, so that no two lists look alike; a hash takes all it is given
	return hash.Sum64()
}
