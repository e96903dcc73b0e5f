package query

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

func TestOfManyThatCannotBeUsedTheNewestSayWhy(t *testing.T) {
	failed := imagetest.Phase(v1alpha1.PhaseFailed)
	catalog := catalogOf(imagetest.Image("a", "old", 0, imagetest.Available()), imagetest.Image("a", "good", 1, imagetest.Available()))
	for n := range 3 * maxRunnersUp {
		catalog.store(imagetest.Image("a", fmt.Sprintf("broken-%d", n), 2+n, failed, imagetest.Distro("autosd")))
	}
	base := serverOf(t, catalog.Index)
	newest := make([]string, maxRunnersUp)
	for n := range newest {
		newest[n] = fmt.Sprintf("broken-%d", 3*maxRunnersUp-1-n)
	}
	found := decode[resolution](t, request(t, http.MethodGet, base+"/v1/resolve", nil).body)
	assert.Equal(t, "good", decode[index.Item](t, string(found.Image)).Name)
	assert.Equal(t, newest, namesOf(found.RunnersUp))

	none := request(t, http.MethodGet, base+"/v1/resolve?distro=autosd", nil)
	require.Equal(t, http.StatusNotFound, none.status)
	assert.Equal(t, newest, namesOf(decode[Problem](t, none.body).RunnersUp))

	catalog.store(imagetest.Image("a", newest[maxRunnersUp-1], 2+2*maxRunnersUp, imagetest.Available()))
	found = decode[resolution](t, request(t, http.MethodGet, base+"/v1/resolve", nil).body)
	assert.Equal(t, newest[maxRunnersUp-1], decode[index.Item](t, string(found.Image)).Name)
	assert.Equal(t, newest[:maxRunnersUp-1], namesOf(found.RunnersUp))
}

func TestAnUnchangedResolutionIsNotSentAgain(t *testing.T) {
	catalog := catalogOf(imagetest.Image("a", "good", 1, imagetest.UID("1"), imagetest.Available(), imagetest.Checked(1)))
	base := serverOf(t, catalog.Index)
	ask := func(tag string) answer {
		return request(t, http.MethodGet, base+"/v1/resolve", http.Header{"If-None-Match": {tag}})
	}
	tag := ask("").header.Get("ETag")
	catalog.store(imagetest.Image("a", "good", 1, imagetest.UID("1"), imagetest.Available(), imagetest.Checked(5)))
	again := ask(tag)
	assert.Equal(t, http.StatusNotModified, again.status, "a check without news is none")
	assert.Empty(t, again.body)
	assert.Equal(t, map[types.UID]int64{"1": 1}, catalog.Latest().Accesses(), "nothing was shown")

	for _, news := range []*v1alpha1.CatalogImage{
		imagetest.Image("a", "broken", 2, imagetest.Phase(v1alpha1.PhaseFailed)), // a runner-up
		imagetest.Image("a", "good", 1, imagetest.Available(), imagetest.Channel("prod")),
		imagetest.Image("a", "better", 3, imagetest.Available()),
	} {
		catalog.store(news)
		news := ask(tag)
		assert.Equal(t, http.StatusOK, news.status)
		assert.NotEqual(t, tag, news.header.Get("ETag"))
		tag = news.header.Get("ETag")
	}
}

// Who demands a verified image is told of the newer ones that are not.
func TestAnImageThatIsNotVerifiedSaysSo(t *testing.T) {
	verified := func(i *v1alpha1.CatalogImage) { i.Status.MarkVerified("release-team") }
	recalled := func(i *v1alpha1.CatalogImage) {
		i.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled}
	}
	catalog := catalogOf(imagetest.Image("a", "signed", 0, imagetest.Available(), verified), imagetest.Image("a", "unsigned", 1, imagetest.Available()),
		imagetest.Image("a", "recalled", 2, imagetest.Available(), verified, recalled))
	base := serverOf(t, catalog.Index)
	for query, want := range map[string]string{"": "unsigned", "?verified=true": "signed", "?verified=false": "unsigned"} {
		found := decode[resolution](t, request(t, http.MethodGet, base+"/v1/resolve"+query, nil).body)
		assert.Equal(t, want, decode[index.Item](t, string(found.Image)).Name, query)
	}
	found := decode[resolution](t, request(t, http.MethodGet, base+"/v1/resolve?verified=true", nil).body)
	assert.Equal(t, []string{"recalled", "unsigned"}, namesOf(found.RunnersUp))
	assert.Equal(t, "NotVerified", found.RunnersUp[1].Reason)

	for n := range maxRunnersUp {
		catalog.store(imagetest.Image("a", fmt.Sprintf("more-%d", n), 3+n, imagetest.Available()))
	}
	found = decode[resolution](t, request(t, http.MethodGet, base+"/v1/resolve?verified=true", nil).body)
	assert.Equal(t, "signed", decode[index.Item](t, string(found.Image)).Name, "however many are newer")

	listed := request(t, http.MethodGet, base+"/v1/images?verified=true&fields=name,verified", nil).body
	assert.Contains(t, listed, `"items":[{"name":"recalled","verified":true},{"name":"signed","verified":true}],"total":2`)
	assert.Equal(t, http.StatusBadRequest, request(t, http.MethodGet, base+"/v1/images?verified=yes", nil).status)
}

func namesOf(lost []runnerUp) []string {
	names := make([]string, len(lost))
	for n, l := range lost {
		names[n] = l.Name
	}
	return names
}

// BenchmarkResolveWhatCannotBeUsed is the choice of an image in a catalog of 50,000 where none, or the oldest alone, can be used.
func BenchmarkResolveWhatCannotBeUsed(b *testing.B) {
	catalog := catalogOf()
	list := make([]any, 50_000)
	for n := range list {
		image := imagetest.Image("a", fmt.Sprintf("image-%d", n), n, imagetest.Distro("autosd"))
		if n == 0 {
			image = imagetest.Image("a", "good", n, imagetest.Available(), imagetest.Channel("prod"))
		}
		image.ResourceVersion = "1"
		list[n] = image
	}
	must(catalog.Replace(list, "200"))
	for name, q := range map[string]*index.Query{
		"none": {Facets: []index.Facet{{Kind: index.Distro, Value: "autosd"}}, Descending: true},
		"one":  {Descending: true},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				resolveIn(catalog.Latest(), q, false)
			}
		})
	}
}
