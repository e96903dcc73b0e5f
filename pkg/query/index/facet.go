package index

import (
	"cmp"
	"strconv"
	"strings"
	"unique"

	"github.com/RoaringBitmap/roaring/v2"
)

// Kind is what a facet is about.
type Kind uint8

// The kinds of facets.
const (
	Namespace Kind = iota
	Phase
	Architecture // in OCI's name
	Distro
	Target
	Channel
	Series
	Tag
	Verified // "true" or "false": an authority signed the image
	Usable   // of no value: the image can be had and should be used, see [Entry.Usable]
)

// Facet is a property that entries share. An entry may have several of a kind.
type Facet struct {
	Kind  Kind
	Value string
}

func (f Facet) compare(other Facet) int {
	return cmp.Or(cmp.Compare(f.Kind, other.Kind), strings.Compare(f.Value, other.Value))
}

// facetsOf has each facet once. A value that is not there is none.
func facetsOf(item *Item) []unique.Handle[Facet] {
	facets := []unique.Handle[Facet]{facet(Namespace, item.Namespace), facet(Phase, string(item.Phase))}
	for _, architecture := range item.Architectures {
		facets = append(facets, facet(Architecture, architecture))
	}
	for _, target := range item.Targets {
		facets = append(facets, facet(Target, target))
	}
	for _, tag := range item.Tags {
		facets = append(facets, facet(Tag, tag))
	}
	for kind, value := range map[Kind]string{Distro: item.Distro, Channel: item.Channel, Series: item.Series} {
		if value != "" {
			facets = append(facets, facet(kind, value))
		}
	}
	facets = append(facets, facet(Verified, strconv.FormatBool(item.Verified)))
	if item.usable() {
		facets = append(facets, facet(Usable, ""))
	}
	return facets
}

func facet(kind Kind, value string) unique.Handle[Facet] {
	return unique.Make(Facet{kind, strings.Clone(value)})
}

// Values are the entry's of a kind.
func (e *Entry) Values(kind Kind) []string {
	var values []string
	for _, f := range e.facets {
		if f.Value().Kind == kind {
			values = append(values, f.Value().Value)
		}
	}
	return values
}

// Value is the entry's first of a kind, or "".
func (e *Entry) Value(kind Kind) string {
	for _, f := range e.facets {
		if f.Value().Kind == kind {
			return f.Value().Value
		}
	}
	return ""
}

// posting is the set of the entries that have a facet.
type posting struct {
	Facet
	set *roaring.Bitmap
}

func (p *posting) before(other *posting) bool { return p.compare(other.Facet) < 0 }
