package query

import (
	"slices"
	"strconv"

	"imagecatalog.dev/catalog/pkg/query/index"
)

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
