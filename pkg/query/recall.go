package query

import (
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// recalled is why an image is not to be used any more, and what to use instead.
type recalled struct {
	Reason    string `json:"reason"`
	Successor string `json:"successor,omitempty"` // an entry of the same namespace
}

// recall answers POST /v1/namespaces/{namespace}/images/{name}/recall: the entry's lifecycle is Recalled from now on, for
// the reason that the body gives. The answer is the entry.
func recall(w http.ResponseWriter, r *http.Request, path httprouter.Params, entries catalogclient.CatalogImageInterface) error {
	if _, err := parseParameters(r.URL.RawQuery, nil); err != nil {
		return err
	}
	var why recalled
	if err := readBody(w, r, &why); err != nil {
		return err
	}
	if strings.TrimSpace(why.Reason) == "" {
		return badRequest(`Say why the image is recalled: whoever runs it has to decide what to do. For example {"reason": "the Wi-Fi driver loses its connection"}.`)
	}
	patch := map[string]any{"spec": map[string]any{"lifecycle": v1alpha1.Lifecycle{
		State: v1alpha1.LifecycleRecalled, Reason: why.Reason, Successor: why.Successor,
	}}}
	stored, err := entries.Patch(r.Context(), path.ByName("name"), types.MergePatchType, index.Encode(patch), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, index.JSON(stored))
	return nil
}
