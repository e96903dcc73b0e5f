package query

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func TestWhatIsAnAccess(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path string
		status       int
		want         map[types.UID]int64
	}{
		"one entry":                  {http.MethodGet, "/v1/namespaces/a/images/one", http.StatusOK, map[types.UID]int64{"1": 1}},
		"the choice of one":          {http.MethodGet, "/v1/resolve", http.StatusOK, map[types.UID]int64{"2": 1}},
		"whether there is one":       {http.MethodHead, "/v1/namespaces/a/images/one", http.StatusOK, nil},
		"whether one can be used":    {http.MethodHead, "/v1/resolve", http.StatusOK, nil},
		"a listing":                  {http.MethodGet, "/v1/images", http.StatusOK, nil},
		"a listing of one":           {http.MethodGet, "/v1/images?digest=" + imagetest.Digest + "&limit=1", http.StatusOK, nil},
		"facets":                     {http.MethodGet, "/v1/facets", http.StatusOK, nil},
		"one that is not there":      {http.MethodGet, "/v1/namespaces/a/images/none", http.StatusNotFound, nil},
		"one that is forbidden":      {http.MethodGet, "/v1/namespaces/b/images/three", http.StatusForbidden, nil},
		"one, asked for wrongly":     {http.MethodGet, "/v1/namespaces/a/images/one?q=x", http.StatusBadRequest, nil},
		"the choice of none":         {http.MethodGet, "/v1/resolve?target=none", http.StatusNotFound, nil},
		"the choice of a hidden one": {http.MethodGet, "/v1/resolve?namespace=b", http.StatusNotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			catalog := indexOf(imagetest.Image("a", "one", 1, imagetest.UID("1"), imagetest.Available()),
				imagetest.Image("a", "two", 2, imagetest.UID("2"), imagetest.Available()), imagetest.Image("b", "three", 3, imagetest.UID("3"), imagetest.Available()))
			base := serverFor(t, catalog, rights{"system:anonymous list a ": true, "system:anonymous get a ": true}.reviewer(true))
			assert.Equal(t, tc.status, request(t, tc.method, base+tc.path, nil).status)
			if tc.want == nil {
				tc.want = map[types.UID]int64{}
			}
			assert.Equal(t, tc.want, catalog.Latest().Accesses())
		})
	}
}
