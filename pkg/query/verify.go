package query

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

const (
	defaultVerifyTimeout = 30 * time.Second
	maxVerifyTimeout     = 2 * time.Minute
	allowedTimeout       = "a duration such as 30s, up to 2m"
)

// verification is what came of a check.
type verification struct {
	RequestedAt string                 `json:"requestedAt"`
	Finished    bool                   `json:"finished"` // false: it goes on; the entry's checkRequest will tell
	Result      *v1alpha1.CheckRequest `json:"result,omitempty"`
	Phase       string                 `json:"phase"`
}

// verify answers POST /v1/namespaces/{namespace}/images/{name}/verify: the registry is asked about the image now. It waits
// for what comes of it up to the parameter timeout, and answers 200 with that, or 202 when the check takes longer.
func verify(catalog *index.Index) writing {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params, entries catalogclient.CatalogImageInterface) error {
		timeout, err := parseTimeout(r.URL.RawQuery)
		if err != nil {
			return err
		}
		// Longer than other answers may take. A connection that has no deadlines needs none moved.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + writeTimeout))
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		requestedAt := time.Now().UTC()
		patch := map[string]any{"metadata": map[string]any{"annotations": map[string]string{
			v1alpha1.CheckRequestedAtAnnotation: requestedAt.Format(time.RFC3339Nano),
		}}}
		asked, err := entries.Patch(ctx, path.ByName("name"), types.MergePatchType, index.Encode(patch), metav1.PatchOptions{})
		if err != nil {
			return err
		}
		outcome := await(ctx, catalog, asked, requestedAt)
		status := http.StatusOK
		if !outcome.Finished {
			status = http.StatusAccepted
		}
		write(w, status, mediaJSON, append(index.Encode(outcome), '\n'))
		return nil
	}
}

func parseTimeout(raw string) (time.Duration, error) {
	values, err := parseParameters(raw, []string{"timeout"})
	if err != nil || !values.Has("timeout") {
		return defaultVerifyTimeout, err
	}
	timeout, err := time.ParseDuration(values.Get("timeout"))
	return timeout, check(err == nil && timeout > 0 && timeout <= maxVerifyTimeout, "timeout", values.Get("timeout"), allowedTimeout)
}

// await follows the entry until it tells of a check that was asked for then or later.
func await(ctx context.Context, catalog *index.Index, image *v1alpha1.CatalogImage, requestedAt time.Time) verification {
	outcome := verification{
		RequestedAt: requestedAt.Format(time.RFC3339Nano),
		Phase:       string(cmp.Or(image.Status.Phase, v1alpha1.PhasePending)), // the index may not have heard of it
	}
	for {
		changed := catalog.Changed()
		if e := catalog.Latest().Get(image.Namespace, image.Name); e != nil {
			outcome.Phase = e.Value(index.Phase)
			if outcome.Result = checkOf(e, requestedAt); outcome.Result != nil {
				outcome.Finished = true
				return outcome
			}
		}
		select {
		case <-ctx.Done():
			return outcome
		case <-changed:
		}
	}
}

// checkOf is the check that an entry tells of, if it was asked for at that time or later.
func checkOf(e *index.Entry, requestedAt time.Time) *v1alpha1.CheckRequest {
	var detail index.Detail
	if err := json.Unmarshal(e.JSON(), &detail); err != nil {
		panic(fmt.Sprintf("reading an entry of our own: %v", err))
	}
	if detail.CheckRequest == nil {
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, detail.CheckRequest.RequestedAt); err != nil || at.Before(requestedAt) {
		return nil
	}
	return detail.CheckRequest
}
