package query

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond)
}

func handlerOf(t testing.TB, catalog *index.Index) http.Handler {
	t.Helper()
	handler, err := newHandler(catalog, everybody(), newGates(), nil, newStopping(), noop.Meter{})
	require.NoError(t, err)
	return handler
}

func serverOf(t testing.TB, catalog *index.Index) string {
	t.Helper()
	return serverFor(t, catalog, everybody())
}

func serverFor(t testing.TB, catalog *index.Index, reviewer *access.Reviewer) string {
	t.Helper()
	handler, err := newHandler(catalog, reviewer, newGates(), nil, newStopping(), noop.Meter{})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// answer is what came back for a request, read to the end.
type answer struct {
	url    *url.URL // of the request
	status int
	header http.Header
	length int64 // as the header says
	body   string
}

func request(t testing.TB, method, address string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{r.URL, response.StatusCode, response.Header, response.ContentLength, string(body)}
}

func decode[T any](t testing.TB, body string) T {
	t.Helper()
	var value T
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&value))
	return value
}

type listing struct {
	Items           []index.Item `json:"items"`
	Total           int          `json:"total"`
	ResourceVersion string       `json:"resourceVersion"`
	Continue        string       `json:"continue"`
}

func TestListAnswersWithAPage(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1), imagetest.Image("b", "two", 2), imagetest.Image("b", "three", 3, imagetest.Distro("autosd"))))
	for path, want := range map[string]struct {
		names []string
		total int
	}{
		"/v1/images":                             {[]string{"three", "two", "one"}, 3},
		"/v1/images?limit=2":                     {[]string{"three", "two"}, 3},
		"/v1/images?namespace=b":                 {[]string{"three", "two"}, 2},
		"/v1/images?distro=autosd":               {[]string{"three"}, 1},
		"/v1/images?distro=fedora":               {[]string{}, 0},
		"/v1/namespaces/b/images":                {[]string{"three", "two"}, 2},
		"/v1/namespaces/a/images?distro=autosd":  {[]string{}, 0},
		"/v1/namespaces/nobody/images":           {[]string{}, 0},
		"/v1/namespaces/b/images?phase=Pending":  {[]string{"three", "two"}, 2},
		"/v1/images?phase=Available&namespace=b": {[]string{}, 0},
	} {
		t.Run(path, func(t *testing.T) {
			response := request(t, http.MethodGet, base+path, nil)
			assert.Equal(t, http.StatusOK, response.status)
			assert.Equal(t, "application/json", response.header.Get("Content-Type"))
			got := decode[listing](t, response.body)
			names := []string{}
			for _, item := range got.Items {
				names = append(names, item.Name)
			}
			assert.Equal(t, want.names, names)
			assert.Equal(t, want.total, got.Total)
			assert.Equal(t, len(want.names) < want.total, got.Continue != "")
		})
	}
	response := request(t, http.MethodGet, base+"/v1/images?distro=fedora", nil)
	assert.Equal(t, "{\"items\":[],\"total\":0,\"resourceVersion\":\"100\"}\n", response.body)
}

func TestPagesTogetherAreTheListing(t *testing.T) {
	catalog := catalogOf()
	for n := range 57 {
		image := imagetest.Image(fmt.Sprintf("ns-%d", n%3), fmt.Sprintf("image-%02d", n/2), n/5, imagetest.Checked(n/7), imagetest.Tags([]string{"even", "odd"}[n%2]))
		image.Status.SizeBytes = int64(n / 9)
		catalog.store(image)
	}
	base := serverOf(t, catalog.Index)
	paths := []string{"/v1/images?", "/v1/images?tag=odd&", "/v1/namespaces/ns-1/images?", "/v1/namespaces/ns-1/images?tag=even&"}
	for _, order := range []string{"published", "name", "size", "checked"} { // of each, many are equal
		paths = append(paths, "/v1/images?sort="+order+"&", "/v1/images?sort=-"+order+"&")
	}
	for _, path := range paths {
		response := request(t, http.MethodGet, base+path+"limit=500", nil)
		whole := decode[listing](t, response.body)
		require.NotEmpty(t, whole.Items)
		assert.Empty(t, whole.Continue)
		for _, limit := range []int{1, 4, 7, len(whole.Items)} {
			assert.Equal(t, whole.Items, walk(t, fmt.Sprintf("%s%slimit=%d", base, path, limit), whole.Total), "%s by %d", path, limit)
		}
	}
}

// walk follows continue from page to page, and holds the Link field against it.
func walk(t *testing.T, first string, total int) []index.Item {
	t.Helper()
	var items []index.Item
	for address := first; ; {
		response := request(t, http.MethodGet, address, nil)
		require.Equal(t, http.StatusOK, response.status, response.body)
		got := decode[listing](t, response.body)
		assert.Equal(t, total, got.Total)
		items = append(items, got.Items...)
		if got.Continue == "" {
			assert.Empty(t, response.header.Get("Link"))
			return items
		}
		require.LessOrEqual(t, len(items), total, "the walk does not end")
		address = first + "&continue=" + got.Continue
		assert.Equal(t, parametersOf(t, address), parametersOf(t, linked(t, response)))
	}
}

func linked(t *testing.T, response answer) string {
	t.Helper()
	target, _, ok := strings.Cut(strings.TrimPrefix(response.header.Get("Link"), "<"), `>; rel="next"`)
	require.True(t, ok, "no next page in %q", response.header.Get("Link"))
	next, err := response.url.Parse(target)
	require.NoError(t, err)
	return next.String()
}

func parametersOf(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

func TestAWalkShowsTheCatalogOfItsFirstPage(t *testing.T) {
	catalog := catalogOf()
	for n := range 10 {
		catalog.store(imagetest.Image("a", fmt.Sprintf("image-%d", n), n))
	}
	base := serverOf(t, catalog.Index)
	response := request(t, http.MethodGet, base+"/v1/images?limit=5", nil)
	first := decode[listing](t, response.body)
	catalog.store(imagetest.Image("a", "newer", 99))
	catalog.store(imagetest.Image("a", "image-3", 3, imagetest.Channel("prod")))
	catalog.delete("a", "image-5") // the last of the page
	catalog.delete("a", "image-4") // the first of the next

	response = request(t, http.MethodGet, base+"/v1/images?limit=5&continue="+first.Continue, nil)
	second := decode[listing](t, response.body)
	names := []string{}
	for _, item := range append(first.Items, second.Items...) {
		names = append(names, item.Name)
	}
	assert.Equal(t, []string{"image-9", "image-8", "image-7", "image-6", "image-5", "image-4", "image-3", "image-2", "image-1", "image-0"}, names)
	assert.Empty(t, second.Items[1].Channel)
	assert.Equal(t, first.ResourceVersion, second.ResourceVersion)

	must(catalog.Replace(nil, "1000")) // what happened meanwhile is not known
	response = request(t, http.MethodGet, base+"/v1/images?limit=5&continue="+first.Continue, nil)
	assert.Equal(t, second, decode[listing](t, response.body), "what was before is")
	between := token{Query: identify(nil), Version: 999, Namespace: "a", Name: "image-5"}.String()
	response = request(t, http.MethodGet, base+"/v1/images?limit=5&continue="+between, nil)
	assert.Equal(t, http.StatusGone, response.status)
	assert.Contains(t, decode[Problem](t, response.body).Detail, "Leave continue out")
	ahead := token{Query: identify(nil), Version: 2000, Namespace: "a", Name: "image-5"}.String()
	response = request(t, http.MethodGet, base+"/v1/images?continue="+ahead, nil)
	assert.Equal(t, http.StatusServiceUnavailable, response.status)
	assert.Equal(t, "1", response.header.Get("Retry-After"))
}

func TestATokenServesAnotherLimitButNoOtherQuery(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1), imagetest.Image("a", "two", 2), imagetest.Image("a", "three", 3)))
	response := request(t, http.MethodGet, base+"/v1/images?namespace=a&limit=1", nil)
	token := decode[listing](t, response.body).Continue

	response = request(t, http.MethodGet, base+"/v1/namespaces/a/images?limit=9&continue="+token, nil)
	assert.Len(t, decode[listing](t, response.body).Items, 2, "the path may name the namespace as well")

	response = request(t, http.MethodGet, base+"/v1/images?limit=1&continue="+token, nil)
	assert.Equal(t, http.StatusBadRequest, response.status)
	assert.Contains(t, decode[Problem](t, response.body).Detail, "belongs to another query")
}

func TestTheListingAsATable(t *testing.T) {
	young, old := imagetest.Image("team-a", "autosd", 0, imagetest.Architecture("arm64"), imagetest.Platforms("amd64"), imagetest.Distro("autosd"), imagetest.Channel("prod"),
		imagetest.Targets("qemu", "raspberry-pi"), imagetest.Phase(v1alpha1.PhaseAvailable)), imagetest.Image("b", "evil", 0)
	young.CreationTimestamp.Time, old.CreationTimestamp.Time = time.Now().Add(-150*time.Minute), time.Now().Add(-74*time.Hour)
	young.Status.SizeBytes = 83 << 20
	old.Spec.Image = "x\tFAKE\n\x1b[2J"
	base := serverOf(t, indexOf(young, old))
	response := request(t, http.MethodGet, base+"/v1/images", http.Header{"Accept": {"text/plain"}})
	assert.Equal(t, "text/plain; charset=utf-8", response.header.Get("Content-Type"))
	assert.Equal(t, []string{"Authorization", "Accept"}, response.header.Values("Vary"))
	assert.Equal(t, strings.Join([]string{
		"NAMESPACE  NAME    PHASE      ARCH         DISTRO  TARGETS            CHANNEL  SIZE   AGE   IMAGE",
		"team-a     autosd  Available  amd64,arm64  autosd  qemu,raspberry-pi  prod     83MiB  150m  quay.io/acme/autosd:1",
		"b          evil    Pending    -            -       -                  -        -      3d2h  x?FAKE??[2J",
		"",
	}, "\n"), response.body)
}

func TestAcceptChoosesTheForm(t *testing.T) {
	base := serverOf(t, indexOf())
	for accept, want := range map[string]string{
		"*/*":                                "application/json",
		"application/*":                      "application/json",
		"text/html, */*;q=0.1":               "application/json",
		"text/plain":                         "text/plain; charset=utf-8",
		"text/*":                             "text/plain; charset=utf-8",
		"application/json;q=0.5, text/plain": "text/plain; charset=utf-8",
		"image/png":                          "application/problem+json",
	} {
		response := request(t, http.MethodGet, base+"/v1/images", http.Header{"Accept": {accept}})
		assert.Equal(t, want, response.header.Get("Content-Type"), accept)
		assert.Equal(t, want == "application/problem+json", response.status == http.StatusNotAcceptable, accept)
	}
}

func TestGetAnswersWithLayersAndConditions(t *testing.T) {
	one := imagetest.Image("a", "one", 1, imagetest.Unready("NotFound", "gone"))
	one.Status.Layers = []v1alpha1.Layer{{Digest: imagetest.Digest, SizeBytes: 7}}
	base := serverOf(t, indexOf(one))
	response := request(t, http.MethodGet, base+"/v1/namespaces/a/images/one", nil)
	assert.Equal(t, http.StatusOK, response.status)
	got := decode[struct {
		index.Item
		index.Detail
	}](t, response.body)
	assert.Equal(t, "one", got.Name)
	assert.Equal(t, one.Status.Layers, got.Layers)
	assert.Equal(t, []index.Condition{{Type: "Ready", Status: "False", Reason: "NotFound", Message: "gone", Since: "2026-03-01T12:00:00Z"}}, got.Conditions)
}

func TestProblemsSayWhatIsWrong(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1)))
	for _, tc := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{http.MethodGet, "/v1/images?arch=arm64", 400, `The parameter "arch" is unknown here; known: architecture, distro, target, channel, series, tag, phase, verified, q, labelSelector, digest, image, latest, namespace, sort, limit, continue, fields, watch, resourceVersion.`},
		{http.MethodGet, "/v1/images?limit=9999", 400, `The parameter limit is "9999"; allowed is a whole number from 1 to 500.`},
		{http.MethodGet, "/v1/images?tag=a&tag=b", 400, "The parameter tag is there 2 times. Ask for one value at a time."},
		{http.MethodGet, "/v1/namespaces/a/images/one?limit=1", 400, `The parameter "limit" is unknown here; known: fields.`},
		{http.MethodGet, "/v1/namespaces/a/images/two", 404, `The namespace "a" has no entry "two". GET /v1/namespaces/{namespace}/images lists those it has.`},
		{http.MethodGet, "/v2/images", 404, `Nothing is at "/v2/images". /openapi.json describes what is where; the catalog is at /v1/images.`},
		{http.MethodGet, "/v1/images/", 404, `Nothing is at "/v1/images/". /openapi.json describes what is where; the catalog is at /v1/images.`},
		{http.MethodPost, "/v1/images", 405, `The method "POST" is not allowed here; allowed are GET, HEAD, OPTIONS.`},
	} {
		t.Run(tc.method+tc.path, func(t *testing.T) {
			response := request(t, tc.method, base+tc.path, nil)
			problem := decode[Problem](t, response.body)
			assert.Equal(t, "application/problem+json", response.header.Get("Content-Type"))
			assert.Equal(t, tc.status, response.status)
			assert.Equal(t, tc.status, problem.Status)
			assert.Equal(t, http.StatusText(tc.status), problem.Title)
			assert.Equal(t, tc.detail, problem.Detail)
			if tc.status == http.StatusMethodNotAllowed {
				assert.Equal(t, "GET, HEAD, OPTIONS", response.header.Get("Allow"))
			}
		})
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1)))
	for _, path := range []string{
		"/v1/images", "/v1/namespaces/a/images", "/v1/namespaces/a/images/one", "/v1/facets", "/openapi.json", "/healthz", "/readyz",
	} {
		got := request(t, http.MethodGet, base+path, nil)
		head := request(t, http.MethodHead, base+path, nil)
		assert.Equal(t, http.StatusOK, head.status, path)
		assert.Empty(t, head.body)
		assert.EqualValues(t, len(got.body), head.length, path)
		assert.Equal(t, got.header.Get("Content-Type"), head.header.Get("Content-Type"))
	}
}

func TestAnIncompleteCatalogIsNotShown(t *testing.T) {
	catalog := index.New()
	base := serverOf(t, catalog)
	paths := []string{"/v1/images", "/v1/namespaces/a/images", "/v1/namespaces/a/images/one", "/v1/facets", "/v1/resolve", "/readyz"}
	for _, path := range paths {
		response := request(t, http.MethodGet, base+path, nil)
		assert.Equal(t, http.StatusServiceUnavailable, response.status, path)
		assert.Equal(t, "1", response.header.Get("Retry-After"))
		assert.Contains(t, decode[Problem](t, response.body).Detail, "still being read")
	}
	response := request(t, http.MethodGet, base+"/healthz", nil)
	assert.Equal(t, http.StatusOK, response.status)

	one := imagetest.Image("a", "one", 1, imagetest.Available())
	one.ResourceVersion = "1"
	require.NoError(t, catalog.Replace([]any{one}, "100"))
	for _, path := range paths {
		response := request(t, http.MethodGet, base+path, nil)
		assert.Equal(t, http.StatusOK, response.status, path)
	}
}
