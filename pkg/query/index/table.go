package index

import (
	"iter"
	"slices"
)

const chunkSize = 512

// table finds entries by their places in the sets. A copy shares the chunks of the original.
type table []*[chunkSize]*Entry

func (t table) at(id uint32) *Entry {
	if chunk := int(id / chunkSize); chunk < len(t) {
		return t[chunk][id%chunkSize]
	}
	return nil
}

// set puts an entry, or nil, at a place. The chunk must be the table's own, see own.
func (t table) set(id uint32, e *Entry) { t[id/chunkSize][id%chunkSize] = e }

// own makes the chunk of a place a copy that can be written, or a new one.
func (t table) own(id uint32) table {
	chunk := int(id / chunkSize)
	for len(t) <= chunk {
		t = append(t, &[chunkSize]*Entry{})
	}
	own := *t[chunk]
	t[chunk] = &own
	return t
}

func (t table) copy() table { return slices.Clone(t) }

// all are the entries, in no order to rely on.
func (t table) all() iter.Seq2[uint32, *Entry] {
	return func(yield func(uint32, *Entry) bool) {
		for chunk, entries := range t {
			for n, e := range entries {
				if e != nil && !yield(uint32(chunk*chunkSize+n), e) {
					return
				}
			}
		}
	}
}
