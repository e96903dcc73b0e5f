package index

import (
	"cmp"
	"strings"
)

// Order is a key that entries are sorted by. Entries with the same are sorted by namespace and name.
type Order uint8

// The orders, each beginning with the least.
const (
	ByPublished Order = iota // when the entry was published
	ByName
	BySize
	ByChecked // when the registry last gave a definite answer
	byDigest
	byReference
	orders
)

// compare orders two entries. Of those published at the same time the order is turned around, because listings begin
// with the last.
func (o Order) compare(a, b *Entry) int {
	switch o {
	case ByPublished:
		return cmp.Or(cmp.Compare(a.Published, b.Published), comparePaths(b, a))
	case ByName:
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
	case BySize:
		return cmp.Or(cmp.Compare(a.SizeBytes, b.SizeBytes), comparePaths(a, b))
	case ByChecked:
		return cmp.Or(cmp.Compare(a.Checked, b.Checked), comparePaths(a, b))
	case byDigest:
		return cmp.Or(strings.Compare(a.Digest, b.Digest), comparePaths(a, b))
	case byReference:
		return cmp.Or(strings.Compare(a.Reference, b.Reference), comparePaths(a, b))
	}
	return comparePaths(a, b)
}

// Key is what the order compares of an entry before names: 0 where that is nothing.
func (o Order) Key(e *Entry) int64 {
	switch o {
	case ByPublished:
		return e.Published
	case BySize:
		return e.SizeBytes
	case ByChecked:
		return e.Checked
	}
	return 0
}

// Place is where an entry with that key and name is, or would be. Whether there is one cannot be told from it.
func (o Order) Place(key int64, namespace, name string) *Entry {
	return &Entry{Namespace: namespace, Name: name, Published: key, SizeBytes: key, Checked: key}
}

func (o Order) before(a, b *Entry) bool { return o.compare(a, b) < 0 }

func comparePaths(a, b *Entry) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
