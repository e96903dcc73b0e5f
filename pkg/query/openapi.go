package query

import (
	_ "embed"
	"fmt"
	"net/http"

	"github.com/julienschmidt/httprouter"
	"sigs.k8s.io/yaml"
)

//go:embed openapi.yaml
var description []byte

// openAPI answers GET /openapi.json: the description of this API (OpenAPI 3.1).
func openAPI() endpoint {
	document, err := yaml.YAMLToJSON(description)
	if err != nil {
		panic(fmt.Sprintf("reading openapi.yaml: %v", err)) // a test would see it
	}
	return func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
		write(w, http.StatusOK, mediaJSON, shortened(w, r, document))
		return nil
	}
}
