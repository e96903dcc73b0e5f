package query

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// add answers POST /v1/namespaces/{namespace}/images: the body is a CatalogImage as kubectl has it, as JSON; apiVersion
// and kind may be left out. With dryRun=true it is judged, and not stored. The answer is the entry as stored.
func add(w http.ResponseWriter, r *http.Request, path httprouter.Params, entries catalogclient.CatalogImageInterface) error {
	values, err := parseParameters(r.URL.RawQuery, []string{"dryRun"})
	if err != nil {
		return err
	}
	options := metav1.CreateOptions{FieldManager: "image-catalog-query"}
	if values.Has("dryRun") {
		if err := check(values.Get("dryRun") == "true", "dryRun", values.Get("dryRun"), "true"); err != nil {
			return err
		}
		options.DryRun = []string{metav1.DryRunAll}
	}
	var image v1alpha1.CatalogImage
	if err := readBody(w, r, &image); err != nil {
		return err
	}
	if err := checkAddition(&image, path.ByName("namespace")); err != nil {
		return err
	}
	stored, err := entries.Create(r.Context(), &image, options)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/namespaces/"+stored.Namespace+"/images/"+stored.Name)
	write(w, http.StatusCreated, mediaJSON, index.JSON(stored))
	return nil
}

// checkAddition refuses what the API server would leave out in silence.
func checkAddition(image *v1alpha1.CatalogImage, namespace string) error {
	kind := image.GroupVersionKind()
	switch {
	case !kind.Empty() && kind != v1alpha1.SchemeGroupVersion.WithKind("CatalogImage"):
		return badRequest("The body is a " + quote(kind.String()) + "; send a CatalogImage of " + v1alpha1.SchemeGroupVersion.String() + ".")
	case image.Namespace != "" && image.Namespace != namespace:
		return badRequest("The body names the namespace " + quote(image.Namespace) + ", the path another one.")
	case image.Status.Phase != "" || image.Status.Digest != "" || len(image.Status.Conditions) > 0:
		return badRequest("The body has a status, which the catalog finds out by itself: leave it out.")
	}
	return nil
}
