package query

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"k8s.io/apimachinery/pkg/util/duration"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// table shows entries in aligned columns, the way kubectl does.
func table(entries []*index.Entry) []byte {
	var out bytes.Buffer
	columns := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
	row(columns, "NAMESPACE", "NAME", "PHASE", "ARCH", "DISTRO", "TARGETS", "CHANNEL", "SIZE", "AGE", "IMAGE")
	now := time.Now()
	for _, e := range entries {
		row(columns, e.Namespace, e.Name, e.Value(index.Phase), strings.Join(e.Values(index.Architecture), ","), e.Value(index.Distro),
			strings.Join(e.Values(index.Target), ","), e.Value(index.Channel), size(e.SizeBytes), age(now, e.Published), e.Image)
	}
	_ = columns.Flush() // a buffer takes all it is given
	return out.Bytes()
}

func row(out *tabwriter.Writer, cells ...string) {
	for n, cell := range cells {
		cells[n] = printable(cell)
	}
	_, _ = fmt.Fprintln(out, strings.Join(cells, "\t")) // a buffer takes all it is given
}

// printable keeps a cell a cell: an entry that no webhook has checked may hold anything, and a terminal obeys what
// it is shown.
func printable(cell string) string {
	if cell == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, cell)
}

// size is short and one word, for example 83MiB.
func size(bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	return strings.ReplaceAll(humanize.IBytes(uint64(bytes)), " ", "")
}

func age(now time.Time, published int64) string {
	return duration.HumanDuration(now.Sub(time.Unix(published, 0)))
}
