package query

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/julienschmidt/httprouter"

	"imagecatalog.dev/catalog/pkg/query/index"
)

// get answers GET /v1/namespaces/{namespace}/images/{name}: one entry with all that is known of it, or with some of its fields,
// as JSON.
func get(catalog *index.Index) personal {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params, who *visitor) error {
		fields, err := parseFields(r.URL.RawQuery)
		if err != nil {
			return err
		}
		namespace, name := path.ByName("namespace"), path.ByName("name")
		if err := who.require(r.Context(), verbGet, namespace, name); err != nil {
			return err
		}
		e := catalog.Latest().Get(namespace, name)
		if e == nil {
			return newProblem(http.StatusNotFound, fmt.Sprintf(
				"The namespace %s has no entry %s. GET /v1/namespaces/{namespace}/images lists those it has.", quote(namespace), quote(name)))
		}
		if unchanged(w, r, tagOfEntry(e, fields)) {
			return nil
		}
		return inMemory(e.AppendJSON, func(answer []byte) error {
			if fields != nil {
				answer = append(choose(answer, fields), '\n')
			}
			return who.show(w, r, e, answer)
		})
	}
}

// parseFields gives nil for all fields.
func parseFields(raw string) ([]string, error) {
	values, err := parseParameters(raw, []string{"fields"})
	if err != nil || !values.Has("fields") {
		return nil, err
	}
	fields := strings.Split(values.Get("fields"), ",")
	return fields, checkFieldsOf(entryFields, fields)
}

// tagOfEntry is, as that of a page, the same as long as there is nothing new to tell.
func tagOfEntry(e *index.Entry, fields []string) string {
	tag := `W/"` + strconv.FormatUint(e.DetailHash, 36)
	if fields != nil {
		tag += "." + strings.Join(fields, ".")
	}
	return tag + `"`
}
