package query

import (
	"cmp"
	"slices"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// key is the place of an entry in the listing: newest first, then by namespace and name. Two entries never share one.
type key struct {
	published       int64 // Unix seconds, which is all that an entry says
	namespace, name string
}

func (k key) before(other key) bool {
	return cmp.Or(
		cmp.Compare(other.published, k.published),
		cmp.Compare(k.namespace, other.namespace),
		cmp.Compare(k.name, other.name),
	) < 0
}

// entry is what the index keeps of a CatalogImage. It never changes: a changed image becomes a new entry. Its strings
// share the memory of the informer's object.
type entry struct {
	key
	phase         v1alpha1.Phase
	architectures []string // in OCI's names, sorted
	distro        string
	targets       []string
	channel       string
	tags          []string
	sizeBytes     int64
	image         string

	item   []byte // the JSON object of a listing
	detail []byte // what the object of a single entry has besides: `,"layers":...}`
}

func newEntry(image *v1alpha1.CatalogImage) *entry {
	item := newItem(image)
	return &entry{
		key:           keyOf(image),
		phase:         item.Phase,
		architectures: item.Architectures,
		distro:        item.Distro,
		targets:       item.Targets,
		channel:       item.Channel,
		tags:          item.Tags,
		sizeBytes:     item.SizeBytes,
		image:         item.Image,
		item:          encode(item),
		detail:        append([]byte{','}, encode(newDetail(image))[1:]...),
	}
}

func keyOf(image *v1alpha1.CatalogImage) key {
	return key{published: image.PublishedAt().Unix(), namespace: image.Namespace, name: image.Name}
}

// json gives the object of a single entry: the listing's fields and the detail.
func (e *entry) json() []byte {
	return slices.Concat(e.item[:len(e.item)-1], e.detail, []byte{'\n'})
}
