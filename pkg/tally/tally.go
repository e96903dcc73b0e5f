// Package tally is how a replica of the query server tells the controller how often it has shown each entry: a sum since
// it started, which may be read any number of times and by anybody, and a name for that start. The reader makes
// differences of the sums, so no reading has to be acknowledged, and one that gets lost costs nothing.
//
// It is plain HTTP on a port inside the cluster, as metrics are, and asks for no token: what it tells are numbers of UIDs,
// which say nothing to whoever may not see the entries. A token of the controller, which may read secrets, would be too
// much to hand to a server that faces users.
package tally

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const (
	path = "/accesses"
	// maxSize is what is read of an answer: that of about 500,000 entries.
	maxSize = 32 << 20
	// patience is what an answer may take.
	patience = 5 * time.Second
)

// Tally is what one replica has counted.
type Tally struct {
	// Replica names this start of it; the next one begins at zero under another name.
	Replica string              `json:"replica"`
	Counts  map[types.UID]int64 `json:"counts"`
}

// NewServer gives a server of the tally as it is when it is asked for.
func NewServer(current func() Tally) *http.Server {
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(current()) // a reader that has left reads again
	})
	return &http.Server{Handler: routes, ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: 4 << 10}
}

// Reader reads tallies.
type Reader struct{ client http.Client }

// NewReader gives a reader that asks where it is told and nowhere else: by no proxy, and without going where an answer
// sends it.
func NewReader() *Reader {
	return &Reader{http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Read reads the tally of the replica at an address, host:port.
func (r *Reader) Read(ctx context.Context, address string) (Tally, error) {
	t, err := r.read(ctx, "http://"+address+path)
	if err != nil {
		return Tally{}, fmt.Errorf("reading what %s has counted: %w", address, err)
	}
	return t, nil
}

func (r *Reader) read(ctx context.Context, url string) (t Tally, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return t, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return t, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return t, fmt.Errorf("it answers %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxSize)).Decode(&t); err != nil {
		return t, err
	}
	return t, t.check()
}

// check refuses what the schema of a status would.
func (t Tally) check() error {
	if t.Replica == "" || len(t.Replica) > v1alpha1.MaxReplica {
		return errors.New("it does not say which replica it is")
	}
	for uid, count := range t.Counts {
		if count < 0 {
			return fmt.Errorf("it has counted %d of %s", count, uid)
		}
	}
	return nil
}
