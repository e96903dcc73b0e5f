package query

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// remove answers DELETE /v1/namespaces/{namespace}/images/{name}. The image stays in its registry.
func remove(w http.ResponseWriter, r *http.Request, path httprouter.Params, entries catalogclient.CatalogImageInterface) error {
	if _, err := parseParameters(r.URL.RawQuery, nil); err != nil {
		return err
	}
	if err := entries.Delete(r.Context(), path.ByName("name"), metav1.DeleteOptions{}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
