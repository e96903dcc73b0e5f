package index

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// catalog is an index with what writes to it: each write has the next version.
type catalog struct {
	*Index
	t       testing.TB
	version int
}

// newCatalog holds the images and is complete, at version 100.
func newCatalog(t testing.TB, images ...*v1alpha1.CatalogImage) *catalog {
	c := &catalog{New(), t, 100}
	list := make([]any, 0, len(images))
	for n, i := range images {
		i.ResourceVersion = strconv.Itoa(n + 1)
		list = append(list, i)
	}
	require.NoError(t, c.Replace(list, "100"))
	return c
}

func (c *catalog) next(image *v1alpha1.CatalogImage) *v1alpha1.CatalogImage {
	c.version++
	image.ResourceVersion = strconv.Itoa(c.version)
	return image
}

// store creates an entry or changes it.
func (c *catalog) store(image *v1alpha1.CatalogImage) {
	require.NoError(c.t, c.Update(c.next(image)))
}

func (c *catalog) delete(namespace, name string) {
	require.NoError(c.t, c.Delete(c.next(imagetest.Image(namespace, name, 0))))
}

// newest lists everything as it is by default.
func newest(limit int) *Query { return &Query{Descending: true, Limit: limit} }

func (c *catalog) everything() []string { return namesOf(c.Latest().Page(newest(1000)).Entries) }

func namesOf(entries []*Entry) []string {
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}
