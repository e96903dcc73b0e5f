package query

import (
	"strconv"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// catalog is an index with what writes to it: each write has the next version.
type catalog struct {
	*index.Index
	version int
}

// catalogOf holds the images and is complete, at version 100.
func catalogOf(images ...*v1alpha1.CatalogImage) *catalog {
	c := &catalog{index.New(), 100}
	list := make([]any, 0, len(images))
	for n, i := range images {
		i.ResourceVersion = strconv.Itoa(n + 1)
		list = append(list, i)
	}
	must(c.Replace(list, "100"))
	return c
}

func indexOf(images ...*v1alpha1.CatalogImage) *index.Index { return catalogOf(images...).Index }

// store creates an entry or changes it.
func (c *catalog) store(image *v1alpha1.CatalogImage) { must(c.Update(c.next(image))) }

func (c *catalog) delete(namespace, name string) {
	must(c.Delete(c.next(imagetest.Image(namespace, name, 0))))
}

func (c *catalog) next(image *v1alpha1.CatalogImage) *v1alpha1.CatalogImage {
	c.version++
	image.ResourceVersion = strconv.Itoa(c.version)
	return image
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
