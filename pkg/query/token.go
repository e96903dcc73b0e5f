package query

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/http"
	"net/url"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// maxToken bounds a token: a namespace of 63 bytes, a name of 253 and the rest need a third of it.
const maxToken = 1024

// token is where a walk over the pages of a listing stands: base64url (RFC 4648, section 5, without padding) of this
// as JSON. It says what a client could have said itself and grants nothing, so it is not signed.
//
// A walk shows the catalog as it was at its first page, whatever is published, changed or deleted meanwhile, and
// whichever replica answers. It ends with 410 when that is too long ago.
type token struct {
	Query     uint64 `json:"q"` // the identity of the query: a place in one listing means nothing in another
	Version   uint64 `json:"v"`
	Key       int64  `json:"k"` // what the order compares before names, of the last entry shown
	Namespace string `json:"s"`
	Name      string `json:"n"`
}

func (t token) String() string {
	return base64.RawURLEncoding.EncodeToString(index.Encode(t))
}

// parseToken accepts only what String wrote, byte for byte, so that a token has one spelling and a later form cannot be
// taken for this one. The error is a *Problem.
func parseToken(text string, query uint64) (*token, error) {
	var t token
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text[:min(len(text), maxToken)])
	if err == nil {
		err = json.Unmarshal(decoded, &t)
	}
	if err != nil || t.String() != text {
		return nil, badParameter("continue", allowedContinue,
			"The parameter continue is not a token of this server; allowed is "+allowedContinue+".")
	}
	if t.Query != query {
		return nil, badParameter("continue", allowedContinue,
			"The parameter continue belongs to another query. Repeat the parameters of the first page, or leave continue out to begin again.")
	}
	return &t, nil
}

// identifying are the parameters that say what is in a listing and where.
var identifying = append([]string{"sort"}, filters...)

// identify tells queries apart. It is the same in every replica.
func identify(values url.Values) uint64 {
	rest := url.Values{}
	for _, parameter := range identifying {
		if values.Has(parameter) {
			rest.Set(parameter, values.Get(parameter))
		}
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(rest.Encode())) // a hash takes all it is given
	return hash.Sum64()
}

// at gives the snapshot that the parameters speak of, with the place where to go on.
func (p *parameters) at(ctx context.Context, v *view) (*index.Snapshot, error) {
	latest, err := v.prepare(ctx, &p.Query)
	if err != nil || p.proceed == nil {
		return latest, err
	}
	snapshot, err := v.at(ctx, p.proceed.Version)
	switch {
	case errors.Is(err, index.ErrGone):
		return nil, newProblem(http.StatusGone,
			"The parameter continue is too old: the catalog has changed since, and what it was is not kept any more. Leave continue out to begin again.")
	case errors.Is(err, index.ErrAhead):
		return nil, unavailable("The parameter continue is from another replica, which knows newer changes. Try again in a moment.")
	case err != nil:
		return nil, err
	}
	p.After = p.Order.Place(p.proceed.Key, p.proceed.Namespace, p.proceed.Name)
	return snapshot, nil
}
