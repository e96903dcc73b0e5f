package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func named(name string, options ...option) *v1alpha1.CatalogImage {
	return entry(append(options, func(i *v1alpha1.CatalogImage) { i.Name = name })...)
}

func TestWhoWaitsForAnAnswer(t *testing.T) {
	assert.True(t, waits(entry(observed, outage("Unauthorized", "later", 0))))
	assert.True(t, waits(entry()), "the first check may be under way")
	assert.True(t, waits(entry(observed, resolved, checked(0), func(i *v1alpha1.CatalogImage) { i.Generation++ })), "a check of the spec may be")
	assert.False(t, waits(entry(observed, resolved, checked(0))))
	assert.False(t, waits("text"))
}

// Only entries that name what came or changed.
func TestWhichEntriesACredentialConcerns(t *testing.T) {
	waiting := outage("Unauthorized", "later", 0)
	entries := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{entriesOfCredential: byCredential})
	for _, i := range []*v1alpha1.CatalogImage{
		named("names-it", secrets("other", "quay"), observed, waiting),
		named("is-well", secrets("quay"), observed, resolved, checked(0)),
		named("has-an-account", account("puller"), observed, waiting),
		named("has-another-account", account("pusher"), observed, waiting),
		named("names-none", observed, waiting),
		named("elsewhere", secrets("quay"), account("puller"), observed, waiting, func(i *v1alpha1.CatalogImage) { i.Namespace = "lidar" }),
	} {
		require.NoError(t, entries.Add(i))
	}
	object := func(namespace, name string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	for title, test := range map[string]struct {
		change func(credentialEvents)
		want   []string
		all    bool // that wait
	}{
		"a secret": {
			func(e credentialEvents) { e.secretChanged(object("radar", "quay")) },
			[]string{"radar/names-it", "radar/is-well", "radar/has-an-account", "radar/has-another-account"}, false,
		},
		"a secret that only accounts may name": {
			func(e credentialEvents) { e.secretChanged(object("radar", "ghcr")) },
			[]string{"radar/has-an-account", "radar/has-another-account"}, false,
		},
		"a secret of another namespace": {func(e credentialEvents) { e.secretChanged(object("sonar", "quay")) }, nil, false},
		"a secret of the catalog":       {func(e credentialEvents) { e.secretChanged(object("image-catalog", "own")) }, nil, true},
		"a service account":             {func(e credentialEvents) { e.accountChanged(object("radar", "puller")) }, []string{"radar/has-an-account"}, false},
		"nothing that has metadata":     {func(e credentialEvents) { e.secretChanged("text"); e.accountChanged("text") }, nil, false},
	} {
		queue, all := &recordedQueue{}, false
		test.change(credentialEvents{queue, entries, "image-catalog", func() { all = true }})
		var enqueued []string
		for _, key := range queue.now {
			enqueued = append(enqueued, key.String())
		}
		assert.ElementsMatch(t, test.want, enqueued, title)
		assert.Equal(t, test.all, all, title)
	}
}
