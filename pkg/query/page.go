package query

import (
	"slices"
	"strconv"
	"sync"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// maxKept is the capacity, in bytes, up to which the memory of a page is used again.
const maxKept = 64 << 10

// kept is memory of pages that were sent. It may be used again because the server speaks HTTP/1.1 alone: with HTTP/2, an
// answer to a client that went away may still be read after Write has returned.
var kept = sync.Pool{New: func() any { return new([]byte) }}

// withPage does something with a page, which is gone afterwards.
func withPage(page index.Page, version uint64, next string, fields []string, do func(body []byte) error) error {
	memory := kept.Get().(*[]byte)
	*memory = encodePage((*memory)[:0], page, version, next, fields)
	err := do(*memory)
	if cap(*memory) <= maxKept {
		kept.Put(memory)
	}
	return err
}

// encodePage appends an answer that it puts together from items that are encoded already:
//
//	{"items":[...],"total":137,"resourceVersion":"4711","continue":"..."}
//
// total counts all entries that match, not only those of the page; resourceVersion is the version of the catalog that
// the page shows; continue is left out of the last page. The token needs no escaping.
func encodePage(body []byte, page index.Page, version uint64, next string, fields []string) []byte {
	length := len(`{"items":[],"total":,"resourceVersion":"","continue":""}`) + len(next) + 40 + 1
	for _, e := range page.Entries {
		length += len(e.Item) + 1
	}
	body = append(slices.Grow(body, length), `{"items":[`...)
	for n, e := range page.Entries {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, choose(e.Item, fields)...)
	}
	body = strconv.AppendInt(append(body, `],"total":`...), int64(page.Total), 10)
	body = append(strconv.AppendUint(append(body, `,"resourceVersion":"`...), version, 10), '"')
	if next != "" {
		body = append(append(append(body, `,"continue":"`...), next...), '"')
	}
	return append(body, "}\n"...)
}
