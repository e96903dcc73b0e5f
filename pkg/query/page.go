package query

import "strconv"

// encodePage puts an answer together from items that are encoded already:
//
//	{"items":[...],"total":137,"continue":"..."}
//
// total counts all entries that match, not only those of the page; continue is left out of the last page. The token
// needs no escaping.
func encodePage(entries []*entry, total int, next string) []byte {
	length := len(`{"items":[],"total":,"continue":""}`) + len(next) + 20 + 1
	for _, e := range entries {
		length += len(e.item) + 1
	}
	body := append(make([]byte, 0, length), `{"items":[`...)
	for n, e := range entries {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, e.item...)
	}
	body = strconv.AppendInt(append(body, `],"total":`...), int64(total), 10)
	if next != "" {
		body = append(append(append(body, `,"continue":"`...), next...), '"')
	}
	return append(body, "}\n"...)
}
