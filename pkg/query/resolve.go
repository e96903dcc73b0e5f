package query

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/julienschmidt/httprouter"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// maxRunnersUp bounds the newer entries that an answer tells why they were not chosen.
const maxRunnersUp = 10

// resolution is the answer to which image to use.
type resolution struct {
	PinnedRef string          `json:"pinnedRef"` // repository@digest: what to pull
	Image     json.RawMessage `json:"image"`     // its entry, as in a listing
	RunnersUp []runnerUp      `json:"runnersUp"` // newer entries, newest first, and why they lost
}

// runnerUp is an entry that is newer than the one chosen, or any where none could be.
type runnerUp struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

// resolve answers GET /v1/resolve: the newest image that matches and can be used, pinned to its digest. An image can be
// used when its entry is Available and neither deprecated nor recalled; with verified=true it must be Verified, too.
func resolve(catalog *index.Index) personal {
	return func(w http.ResponseWriter, r *http.Request, _ httprouter.Params, who *visitor) error {
		q, snapshot, err := filtered(r, catalog, who)
		if err != nil {
			return err
		}
		chosen, lost := resolveIn(snapshot, q, takeVerified(q))
		if chosen == nil {
			problem := newProblem(http.StatusNotFound, "No image that matches can be used: "+sumUp(lost))
			problem.RunnersUp = lost
			return problem
		}
		if unchanged(w, r, tagOfResolution(chosen, lost)) {
			return nil
		}
		var item index.Item
		if err := json.Unmarshal(chosen.Item, &item); err != nil {
			return fmt.Errorf("reading the entry that was chosen: %w", err)
		}
		answer := append(index.Encode(resolution{PinnedRef: item.PinnedRef, Image: chosen.Item, RunnersUp: lost}), '\n')
		return who.show(w, r, chosen, answer)
	}
}

// tagOfResolution is, as that of a page, the same as long as there is nothing new to tell.
func tagOfResolution(chosen *index.Entry, lost []runnerUp) string {
	return weakTag(binary.LittleEndian.AppendUint64(index.Encode(lost), chosen.Hash))
}

// resolveIn looks at the newest that match, of which the first that can be used is chosen. Where it is none of those it is
// found among those that can be used, so that any number that cannot costs nothing.
func resolveIn(snapshot *index.Snapshot, q *index.Query, verified bool) (chosen *index.Entry, lost []runnerUp) {
	lost = []runnerUp{}
	newest := *q
	newest.Limit = maxRunnersUp
	page := snapshot.Page(&newest)
	for _, e := range page.Entries {
		if e.Usable() && (!verified || e.Value(index.Verified) == isTrue) {
			return e, lost
		}
		lost = append(lost, whyNot(e))
	}
	if !page.More {
		return nil, lost
	}
	usable := *q
	usable.Limit = 1
	usable.Facets = append(slices.Clone(q.Facets), index.Facet{Kind: index.Usable})
	if verified {
		usable.Facets = append(usable.Facets, index.Facet{Kind: index.Verified, Value: isTrue})
	}
	if best := snapshot.Page(&usable).Entries; len(best) > 0 {
		return best[0], lost
	}
	return nil, lost
}

const isTrue = "true"

// takeVerified says whether the query demands verified images, and takes that out of it: of those that are not verified the
// answer tells that, which it could not if they did not match.
func takeVerified(q *index.Query) (verified bool) {
	q.Facets = slices.DeleteFunc(q.Facets, func(f index.Facet) bool {
		demanded := f == index.Facet{Kind: index.Verified, Value: isTrue}
		verified = verified || demanded
		return demanded
	})
	return verified
}

// whyNot says why an entry cannot be used, from what its listing says.
func whyNot(e *index.Entry) runnerUp {
	var item index.Item
	_ = json.Unmarshal(e.Item, &item) // our own
	why := runnerUp{Namespace: e.Namespace, Name: e.Name}
	switch {
	case item.Phase != v1alpha1.PhaseAvailable:
		why.Reason, why.Message = string(item.Phase), "not Available: "+item.Reason+" "+item.Message
	case item.Lifecycle != v1alpha1.LifecycleActive:
		why.Reason, why.Message = string(item.Lifecycle), "its lifecycle is "+string(item.Lifecycle)+"; the entry says why"
	case item.PinnedRef != "" && !item.Verified: // else it would have been chosen
		why.Reason, why.Message = "NotVerified", "no authority is known to have signed it; the entry says why"
	default:
		why.Reason, why.Message = "NoDigest", "no digest of it is known yet"
	}
	return why
}

func sumUp(lost []runnerUp) string {
	if len(lost) == 0 {
		return "no entry matches. Leave a parameter out, or see /v1/facets for the values that there are."
	}
	return fmt.Sprintf("of those that match, %s/%s is the newest: %s.", lost[0].Namespace, lost[0].Name, lost[0].Message)
}
