package query

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"imagecatalog.dev/catalog/pkg/query/index"
)

var (
	// fieldNames are the fields of an entry in a listing, in their order.
	fieldNames = fieldsOf[index.Item]()
	// entryFields are those of a single entry.
	entryFields = slices.Concat(fieldNames, fieldsOf[index.Detail]())
)

func fieldsOf[T any]() []string {
	var names []string
	for field := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func checkFields(names []string) error { return checkFieldsOf(fieldNames, names) }

func checkFieldsOf(known, names []string) error {
	allowed := "some of " + strings.Join(known, ",")
	for n, name := range names {
		if !slices.Contains(known, name) || slices.Contains(names[:n], name) {
			return badParameter("fields", allowed, fmt.Sprintf("The parameter fields names %s, which is unknown or there twice; allowed are %s.",
				quote(name), allowed))
		}
	}
	return nil
}

// choose leaves only some fields of an encoded item, or of an entry, in its order. Without names all are left.
func choose(item []byte, names []string) []byte {
	if names == nil {
		return item
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(item, &fields); err != nil {
		panic(fmt.Sprintf("reading an item of our own: %v", err))
	}
	chosen := []byte{'{'}
	for _, name := range entryFields {
		value, ok := fields[name]
		if !ok || !slices.Contains(names, name) {
			continue
		}
		if len(chosen) > 1 {
			chosen = append(chosen, ',')
		}
		chosen = append(append(append(append(chosen, '"'), name...), `":`...), value...)
	}
	return append(chosen, '}')
}
