// Package fuzzer makes arbitrary entries for tests: most values as their schema wants them, some at its bounds, some
// beyond, some nothing at all like it. One seed makes the same entries for ever.
package fuzzer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Fuzzer makes values by a schema. It is not for concurrent use.
type Fuzzer struct {
	schema apiextensionsv1.JSONSchemaProps
	random *rand.Rand
	// wildness is how likely a value is unlike its schema.
	wildness float64
}

// New makes a Fuzzer for the objects of a schema, which is that of a kind's whole object.
func New(schema apiextensionsv1.JSONSchemaProps, seed uint64) *Fuzzer {
	return &Fuzzer{schema: schema, random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // it is to be repeated
}

// Object makes an object of that name, as decoded from JSON but for its integers, which are int64: spec, status, and
// labels and annotations that try to be the catalog's own.
func (f *Fuzzer) Object(apiVersion, kind, name string) map[string]any {
	f.wildness = pick(f.random, []float64{0, 0, 0.01, 0.1})
	object := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": f.metadata(name)}
	for _, part := range []string{"spec", "status"} {
		if schema, ok := f.schema.Properties[part]; ok && f.happens(0.99) {
			object[part] = f.value(part, schema)
		}
	}
	return object
}

// Mutated makes a changed copy of an object: some parts are another object's.
func (f *Fuzzer) Mutated(object map[string]any) map[string]any {
	other := f.Object(text(object["apiVersion"]), text(object["kind"]), "")
	copied := map[string]any{}
	for key, value := range object {
		copied[key] = value
	}
	spec, isObject := object["spec"].(map[string]any)
	otherSpec, isOther := other["spec"].(map[string]any)
	if !isObject || !isOther || f.happens(0.1) {
		copied["spec"] = other["spec"]
		return copied
	}
	mixed := map[string]any{}
	for _, fields := range []map[string]any{spec, otherSpec} {
		for _, field := range sorted(fields) {
			if _, taken := mixed[field]; !taken || f.happens(0.3) {
				mixed[field] = fields[field]
			}
		}
	}
	copied["spec"] = mixed
	return copied
}

func (f *Fuzzer) metadata(name string) map[string]any {
	metadata := map[string]any{"name": name}
	if f.happens(0.4) {
		labels := map[string]any{"team": "radar"}
		for range f.random.IntN(4) {
			labels[pick(f.random, labelKeys)] = pick(f.random, facets)
		}
		metadata["labels"] = labels
	}
	if f.happens(0.1) {
		metadata["annotations"] = map[string]any{pick(f.random, annotationKeys): pick(f.random, []string{"", "alice", "bob", "2024-02-29T12:00:00Z", "soon"})}
	}
	return metadata
}

// value makes the value of a field; the name says what texts are likely to be right.
func (f *Fuzzer) value(name string, schema apiextensionsv1.JSONSchemaProps) any {
	if f.happens(f.wildness) {
		return f.anything(3)
	}
	switch schema.Type {
	case "object":
		return f.object(schema)
	case "array":
		return f.array(name, schema)
	case "boolean":
		return f.happens(0.5)
	case "integer":
		return f.random.Int64()
	default:
		return f.text(name, schema)
	}
}

func (f *Fuzzer) object(schema apiextensionsv1.JSONSchemaProps) map[string]any {
	object := map[string]any{}
	for _, name := range sorted(schema.Properties) {
		likely := 0.4
		if slices.Contains(schema.Required, name) {
			likely = 1 - f.wildness
		}
		if f.happens(likely) {
			object[name] = f.value(name, schema.Properties[name])
		}
	}
	if f.happens(f.wildness) {
		object[pick(f.random, unknown)] = f.anything(2)
	}
	return object
}

func (f *Fuzzer) array(name string, schema apiextensionsv1.JSONSchemaProps) []any {
	length := f.random.IntN(4)
	if schema.MaxItems != nil && f.happens(f.wildness) {
		length = int(*schema.MaxItems) + f.random.IntN(2)
	}
	list := make([]any, 0, length)
	for range length {
		list = append(list, f.value(name, *schema.Items.Schema))
	}
	return list
}

func (f *Fuzzer) text(name string, schema apiextensionsv1.JSONSchemaProps) string {
	if len(schema.Enum) > 0 {
		return strings.Trim(string(pick(f.random, schema.Enum).Raw), `"`)
	}
	if schema.MaxLength != nil && f.happens(0.02) {
		return strings.Repeat("a", int(*schema.MaxLength)+f.random.IntN(2))
	}
	text := f.likely(name)
	if f.happens(f.wildness) {
		text = f.spoilt(text)
	}
	return text
}

// likely is a text that fits a field of that name, nearly always.
func (f *Fuzzer) likely(name string) string {
	switch name {
	case "image":
		image := pick(f.random, hosts) + pick(f.random, repositories) + pick(f.random, []string{"", ":1", ":rpi4-1.2", ":latest", ":V_1"})
		if f.happens(0.2) {
			image += "@" + f.digest()
		}
		return image
	case "digest":
		return f.digest()
	case "checkInterval":
		return pick(f.random, intervals)
	case "serviceAccountName", "successor", "name":
		return fmt.Sprintf("%s-%d", pick(f.random, []string{"autosd", "puller", "a.b"}), f.random.IntN(100))
	case "createdAt", "lastCheckedAt", "publishedAt", "outageSince":
		return "2026-02-28T23:59:59Z"
	}
	return pick(f.random, facets)
}

func (f *Fuzzer) digest() string { return fmt.Sprintf("sha256:%064x", f.random.Uint64()) }

// spoilt is the text with something done to it.
func (f *Fuzzer) spoilt(text string) string {
	at := f.random.IntN(len(text) + 1)
	return text[:at] + pick(f.random, spoilers) + text[at:]
}

// anything is JSON of any kind, so deep.
func (f *Fuzzer) anything(depth int) any {
	switch choice := f.random.IntN(9); {
	case choice < 2 || depth == 0:
		return pick(f.random, spoilers)
	case choice == 2:
		return nil
	case choice == 3:
		return f.happens(0.5)
	case choice == 4:
		return f.random.Int64() - f.random.Int64()
	case choice == 5:
		return f.random.NormFloat64()
	case choice == 6:
		return []any{f.anything(depth - 1), f.anything(depth - 1)}
	case choice == 7:
		return map[string]any{}
	default:
		return map[string]any{pick(f.random, unknown): f.anything(depth - 1), "name": f.anything(depth - 1)}
	}
}

func (f *Fuzzer) happens(likelihood float64) bool { return f.random.Float64() < likelihood }

func pick[T any](random *rand.Rand, among []T) T { return among[random.IntN(len(among))] }

func text(value any) string {
	text, _ := value.(string)
	return text
}

// sorted are the keys in an order that a seed repeats.
func sorted[T any](object map[string]T) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
