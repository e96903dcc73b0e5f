package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"sync/atomic"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Entry is what the index keeps of a CatalogImage. It never changes, but for the count of its accesses: a changed image
// becomes a new entry, which goes on with that.
type Entry struct {
	Namespace, Name string
	// Published and Checked are Unix seconds; Checked is 0 before the first check.
	Published, Checked int64
	SizeBytes          int64
	Image              string // as its publisher wrote it
	Reference          string // the same, canonical; "" if it does not parse
	Digest             string // as last seen in the registry, or ""
	// Item is the JSON object of a listing, see [Item].
	Item []byte
	// Hash stands for all that Item says but when the entry was last checked and how often it was accessed. It is the same
	// in every replica.
	Hash uint64
	// DetailHash stands for all that JSON says as well, but when the registry was last asked for signatures.
	DetailHash uint64

	uid      types.UID
	accesses *atomic.Int64 // here, since the entry was first seen
	version  uint64
	id       uint32 // its place in the sets; kept by what replaces it
	facets   []unique.Handle[Facet]
	labels   []unique.Handle[label]
	text     string // what a text is searched in, in lower case, one field a line
	detail   []byte // what the object of a single entry has besides: `,"layers":...}`
	usable   bool   // may be the latest of its series
}

func newEntry(image *v1alpha1.CatalogImage) (*Entry, error) {
	version, err := parseVersion(image.ResourceVersion)
	if err != nil {
		return nil, err
	}
	item := newItem(image)
	encoded := Encode(item)
	detail, said := detailOf(image)
	hash := hashOf(encoded, item.LastCheckedAt)
	return &Entry{
		Namespace:  image.Namespace,
		Name:       image.Name,
		Published:  image.PublishedAt().Unix(),
		Checked:    secondsOf(image.Status.LastCheckedAt),
		SizeBytes:  item.SizeBytes,
		Image:      item.Image,
		Reference:  Canonical(item.Image),
		Digest:     item.Digest,
		Item:       encoded,
		Hash:       hash,
		DetailHash: hashOfDetail(hash, said),
		uid:        image.UID,
		accesses:   &atomic.Int64{},
		version:    version,
		facets:     facetsOf(item),
		labels:     labelsOf(image.Labels),
		text:       textOf(item),
		detail:     detail,
		usable:     item.usable(),
	}, nil
}

// JSON is the object of a single entry: the fields of [Item], and those of [Detail].
func (e *Entry) JSON() []byte { return e.AppendJSON(nil) }

// AppendJSON appends what JSON gives.
func (e *Entry) AppendJSON(to []byte) []byte { return appendJoined(to, e.Item, e.detail) }

func appendJoined(to, item, detail []byte) []byte {
	to = slices.Grow(to, len(item)+len(detail))
	return append(append(append(to, item[:len(item)-1]...), detail...), '\n')
}

// detailOf gives the fields of Detail, and the same without what is no news.
func detailOf(image *v1alpha1.CatalogImage) (fields, news []byte) {
	detail := newDetail(image)
	encoded := Encode(detail)
	news = encoded
	if detail.Verification != nil && detail.Verification.CheckedAt != nil {
		verification := *detail.Verification
		verification.CheckedAt = nil
		detail.Verification = &verification
		news = Encode(detail)
	}
	return append([]byte{','}, encoded[1:]...), news
}

// GetObjectMeta implements metav1.ObjectMetaAccessor, by which client-go tells the entries of a list apart.
func (e *Entry) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name}
}

// Usable says whether the image can be had and should be used: its entry is Available and Active.
func (e *Entry) Usable() bool { return e.usable }

// is says whether a reference, in its canonical form, is that of the entry: as it was declared, or as it was found. No text
// holds a quote that is not escaped, so only the field can be found.
func (e *Entry) is(reference string) bool {
	return e.Reference == reference || bytes.Contains(e.Item, []byte(`"pinnedRef":"`+reference+`"`))
}

// size is about what the entry takes in memory, in bytes.
func (e *Entry) size() int {
	const fixed = 512
	return fixed + len(e.Item) + len(e.detail) + len(e.text)
}

// hashOf leaves out the fields from accessCount on, but for that the entry was checked at all. No text holds a quote that
// is not escaped, so the last such key is the field.
func hashOf(item []byte, lastCheckedAt string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write(item[:bytes.LastIndex(item, []byte(`,"accessCount":`))]) // a hash takes all it is given
	if lastCheckedAt != "" {
		_, _ = hash.Write([]byte{1})
	}
	return hash.Sum64()
}

func hashOfDetail(ofItem uint64, news []byte) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write(news) // a hash takes all it is given
	_, _ = hash.Write(binary.LittleEndian.AppendUint64(nil, ofItem))
	return hash.Sum64()
}

// Canonical is the canonical form of a reference, "" for one that does not parse.
func Canonical(image string) string {
	spec := v1alpha1.CatalogImageSpec{Image: image}
	ref, err := spec.Reference()
	if err != nil {
		return ""
	}
	return ref.Name()
}

func secondsOf(t *metav1.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// textOf is what a text is searched in.
func textOf(item *Item) string {
	fields := append([]string{item.Name, item.Image, item.PinnedRef, item.DisplayName, item.Digest}, item.Tags...)
	return strings.ToLower(strings.Join(fields, "\n"))
}

// label is a label of Kubernetes.
type label struct{ key, value string }

func labelsOf(of map[string]string) []unique.Handle[label] {
	if len(of) == 0 {
		return nil
	}
	labels := make([]unique.Handle[label], 0, len(of))
	for key, value := range of {
		labels = append(labels, unique.Make(label{strings.Clone(key), strings.Clone(value)}))
	}
	slices.SortFunc(labels, func(a, b unique.Handle[label]) int { return cmp.Compare(a.Value().key, b.Value().key) })
	return labels
}

// Has implements labels.Labels.
func (e *Entry) Has(key string) bool {
	_, has := e.Lookup(key)
	return has
}

// Get implements labels.Labels.
func (e *Entry) Get(key string) string {
	value, _ := e.Lookup(key)
	return value
}

// Lookup implements labels.Labels.
func (e *Entry) Lookup(key string) (value string, exists bool) {
	for _, l := range e.labels {
		if l.Value().key == key {
			return l.Value().value, true
		}
	}
	return "", false
}
