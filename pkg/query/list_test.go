package query

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

func TestAnUnchangedPageIsNotSentAgain(t *testing.T) {
	catalog := catalogOf(imagetest.Image("a", "one", 1, imagetest.Checked(1)), imagetest.Image("a", "two", 2))
	base := serverOf(t, catalog.Index)
	first := request(t, http.MethodGet, base+"/v1/images", nil)
	tag := first.header.Get("ETag")
	known := http.Header{"If-None-Match": {`"other", ` + tag}}
	again := request(t, http.MethodGet, base+"/v1/images", known)
	assert.Equal(t, http.StatusNotModified, again.status)
	assert.Empty(t, again.body)
	assert.Equal(t, tag, again.header.Get("ETag"))

	catalog.store(imagetest.Image("a", "one", 1, imagetest.Checked(5)))
	assert.Equal(t, http.StatusNotModified, request(t, http.MethodGet, base+"/v1/images", known).status, "a check without news is none")
	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+"/v1/images?fields=name", known).status)
	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+"/v1/images?limit=1", known).status)
	catalog.store(imagetest.Image("a", "one", 1, imagetest.Checked(5), imagetest.Channel("prod")))
	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+"/v1/images", known).status)
}

func TestFieldsAreChosen(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1, imagetest.Tags(`"quoted"`, "x"))))
	response := request(t, http.MethodGet, base+"/v1/images?fields=tags,name,digest", nil)
	assert.Equal(t, `{"items":[{"name":"one","tags":["\"quoted\"","x"]}],"total":1,"resourceVersion":"100"}`+"\n", response.body)
}

func TestAnUnchangedEntryIsNotSentAgain(t *testing.T) {
	judged := func(minutes int) imagetest.Option {
		at := metav1.NewTime(imagetest.Epoch.Add(time.Duration(minutes) * time.Minute))
		return func(i *v1alpha1.CatalogImage) { i.Status.Verification = &v1alpha1.Verification{CheckedAt: &at} }
	}
	catalog := catalogOf(imagetest.Image("a", "one", 1, imagetest.UID("1"), imagetest.Checked(1), judged(1)))
	const path = "/v1/namespaces/a/images/one"
	base := serverOf(t, catalog.Index)
	first := request(t, http.MethodGet, base+path, nil)
	tag := first.header.Get("ETag")
	known := http.Header{"If-None-Match": {tag}}
	catalog.store(imagetest.Image("a", "one", 1, imagetest.UID("1"), imagetest.Checked(5), judged(5)))
	again := request(t, http.MethodGet, base+path, known)
	assert.Equal(t, http.StatusNotModified, again.status, "a check without news is none")
	assert.Empty(t, again.body)
	assert.Equal(t, tag, again.header.Get("ETag"))
	assert.Equal(t, map[types.UID]int64{"1": 1}, catalog.Latest().Accesses(), "nothing was shown")

	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+path+"?fields=name", known).status)
	for _, news := range []imagetest.Option{
		imagetest.Channel("prod"),
		func(i *v1alpha1.CatalogImage) { i.Status.Layers = []v1alpha1.Layer{{Digest: imagetest.Digest}} },
	} {
		catalog.store(imagetest.Image("a", "one", 1, imagetest.Checked(5), judged(5), news))
		assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+path, known).status)
	}
}

func TestFieldsOfAnEntryAreChosen(t *testing.T) {
	one := imagetest.Image("a", "one", 1, imagetest.Unready("NotFound", "gone"))
	one.Status.Layers = []v1alpha1.Layer{{Digest: imagetest.Digest, SizeBytes: 7}}
	base := serverOf(t, indexOf(one))
	got := request(t, http.MethodGet, base+"/v1/namespaces/a/images/one?fields=layers,conditions,name,verification", nil)
	assert.Equal(t, `{"name":"one","layers":[{"digest":"`+imagetest.Digest+`","sizeBytes":7}],`+
		`"conditions":[{"type":"Ready","status":"False","reason":"NotFound","message":"gone","since":"2026-03-01T12:00:00Z"}]}`+"\n", got.body)
	for _, fields := range []string{"", "spec", "name,name", "layers.digest"} {
		got := request(t, http.MethodGet, base+"/v1/namespaces/a/images/one?fields="+fields, nil)
		assert.Equal(t, http.StatusBadRequest, got.status, fields)
		assert.Equal(t, "fields", decode[Problem](t, got.body).Parameter)
	}
	got = request(t, http.MethodGet, base+"/v1/images?fields=layers", nil)
	assert.Equal(t, http.StatusBadRequest, got.status, "a listing has none")
}

// What is asked for is there or refused, and never left out in silence.
func TestWhatAPageCanNotHaveIsRefused(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1)))
	for query, accept := range map[string]string{"resourceVersion=100": "", "resourceVersion=0&watch=false": "", "fields=name": "text/plain"} {
		got := request(t, http.MethodGet, base+"/v1/images?"+query, http.Header{"Accept": {accept}})
		assert.Equal(t, http.StatusBadRequest, got.status, query)
		parameter, _, _ := strings.Cut(query, "=")
		assert.Equal(t, parameter, decode[Problem](t, got.body).Parameter)
	}
}

func TestAnImageIsFoundByEachOfItsReferences(t *testing.T) {
	tagged, pinned := imagetest.Image("a", "tagged", 1, imagetest.Available()), imagetest.Image("a", "pinned", 2, imagetest.Available())
	pinned.Spec.Image = "quay.io/acme/tagged@" + imagetest.Digest
	pinned.Status.Image = pinned.Spec.Image
	base := serverOf(t, indexOf(tagged, pinned, imagetest.Image("a", "other", 3, imagetest.Available())))
	for reference, want := range map[string][]string{
		"quay.io/acme/tagged:1":                        {"tagged"},
		"QUAY.IO:443/acme/tagged:1":                    {"tagged"},
		"quay.io/acme/tagged@" + imagetest.Digest:      {"pinned", "tagged"},
		"quay.io/acme/tagged:what@" + imagetest.Digest: {"pinned", "tagged"},
		"quay.io/acme/tagged":                          {},
		"quay.io/acme/none@" + imagetest.Digest:        {},
	} {
		got := decode[listing](t, request(t, http.MethodGet, base+"/v1/images?image="+url.QueryEscape(reference), nil).body)
		names := []string{}
		for _, item := range got.Items {
			names = append(names, item.Name)
		}
		assert.Equal(t, want, names, reference)
	}
}

func TestALongAnswerIsCompressedForWhoTakesThat(t *testing.T) {
	var images []*v1alpha1.CatalogImage
	for n := range 300 {
		images = append(images, imagetest.Image("a", "image-"+strings.Repeat("x", n%50)+string(rune('a'+n/50)), n))
	}
	base := serverOf(t, indexOf(images...))
	plain := request(t, http.MethodGet, base+"/v1/images?limit=500", http.Header{"Accept-Encoding": {"identity"}})
	for accept, compressed := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "*": true, "br": false, "gzip;q=0": false, "gzip;q=x": false} {
		got := request(t, http.MethodGet, base+"/v1/images?limit=500", http.Header{"Accept-Encoding": {accept}})
		assert.Equal(t, compressed, got.header.Get("Content-Encoding") == "gzip", accept)
		if compressed {
			reader, err := gzip.NewReader(strings.NewReader(got.body))
			require.NoError(t, err)
			body, err := io.ReadAll(reader)
			require.NoError(t, err)
			got.body = string(body)
		}
		assert.Equal(t, plain.body, got.body)
	}
	short := request(t, http.MethodGet, base+"/v1/images", http.Header{"Accept-Encoding": {"gzip"}})
	assert.Empty(t, short.header.Get("Content-Encoding"))
	assert.Equal(t, []string{"Authorization", "Accept", "Accept-Encoding"}, short.header.Values("Vary"))
}

func TestFacetsAreCounted(t *testing.T) {
	base := serverOf(t, indexOf(
		imagetest.Image("a", "one", 1, imagetest.Targets("pi", "qemu"), imagetest.Distro("autosd")),
		imagetest.Image("b", "two", 2, imagetest.Targets("qemu")),
	))
	type counted struct {
		Facets map[string]facet `json:"facets"`
		Total  int              `json:"total"`
	}
	got := decode[counted](t, request(t, http.MethodGet, base+"/v1/facets", nil).body)
	assert.Equal(t, 2, got.Total)
	assert.Len(t, got.Facets, len(facets))
	assert.Equal(t, []facetValue{{"qemu", 2}, {"pi", 1}}, got.Facets["target"].Values)
	assert.Equal(t, []facetValue{}, got.Facets["channel"].Values)
	got = decode[counted](t, request(t, http.MethodGet, base+"/v1/facets?distro=autosd", nil).body)
	assert.Equal(t, []facetValue{{"a", 1}}, got.Facets["namespace"].Values)
	assert.Equal(t, 1, got.Total)
}

func TestUnchangedFacetsAreNotSentAgain(t *testing.T) {
	catalog := catalogOf(imagetest.Image("a", "one", 1, imagetest.Checked(1)))
	base := serverOf(t, catalog.Index)
	known := http.Header{"If-None-Match": {request(t, http.MethodGet, base+"/v1/facets", nil).header.Get("ETag")}}
	catalog.store(imagetest.Image("a", "one", 1, imagetest.Checked(5)))
	again := request(t, http.MethodGet, base+"/v1/facets", known)
	assert.Equal(t, http.StatusNotModified, again.status)
	assert.Empty(t, again.body)
	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+"/v1/facets?distro=autosd", known).status)
	catalog.store(imagetest.Image("a", "one", 1, imagetest.Checked(5), imagetest.Channel("prod")))
	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+"/v1/facets", known).status)
}

func TestTheNewestUsableImageIsResolved(t *testing.T) {
	pi := imagetest.Targets("raspberry-pi")
	recalled := imagetest.Image("a", "recalled", 3, pi, imagetest.Available())
	recalled.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled, Reason: "Wi-Fi"}
	catalog := catalogOf(
		imagetest.Image("a", "old", 1, pi, imagetest.Available()), imagetest.Image("a", "good", 2, pi, imagetest.Available()), recalled,
		imagetest.Image("b", "broken", 4, pi, imagetest.Phase(v1alpha1.PhaseFailed), imagetest.Unready("NotFound", "it is not there")),
		imagetest.Image("b", "other", 5, imagetest.Available()),
	)
	base := serverOf(t, catalog.Index)
	response := request(t, http.MethodGet, base+"/v1/resolve?target=raspberry-pi", nil)
	got := decode[resolution](t, response.body)
	assert.Equal(t, "quay.io/acme/good@"+imagetest.Digest, got.PinnedRef)
	assert.Equal(t, "good", decode[index.Item](t, string(got.Image)).Name)
	assert.Equal(t, []runnerUp{
		{"b", "broken", "Failed", "not Available: NotFound it is not there"},
		{"a", "recalled", "Recalled", "its lifecycle is Recalled; the entry says why"},
	}, got.RunnersUp)

	response = request(t, http.MethodGet, base+"/v1/resolve?target=raspberry-pi&namespace=b", nil)
	assert.Equal(t, http.StatusNotFound, response.status)
	problem := decode[Problem](t, response.body)
	assert.Contains(t, problem.Detail, "b/broken is the newest: not Available: NotFound it is not there")
	assert.Len(t, problem.RunnersUp, 1)
	response = request(t, http.MethodGet, base+"/v1/resolve?target=beaglebone", nil)
	assert.Contains(t, decode[Problem](t, response.body).Detail, "no entry matches")
}
