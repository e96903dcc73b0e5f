package v1alpha1_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// A document with every field of a kind, in the spelling that users write.
func fullDocument(t *testing.T, file string) []byte {
	t.Helper()
	document, err := os.ReadFile(file)
	require.NoError(t, err)
	return document
}

func TestAFullObjectKeepsEveryField(t *testing.T) {
	document := fullDocument(t, "testdata/full.yaml")
	var entry v1alpha1.CatalogImage
	require.NoError(t, yaml.UnmarshalStrict(document, &entry))

	assertNothingEmpty(t, reflect.ValueOf(entry.Spec), "spec")
	assertNothingEmpty(t, reflect.ValueOf(entry.Status), "status")
	assert.Nil(t, entry.Validate(apis.WithinCreate(t.Context())))

	encoded, err := json.Marshal(entry)
	require.NoError(t, err)
	want, err := yaml.YAMLToJSON(document)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(encoded))
	assert.Equal(t, &entry, entry.DeepCopy())
}

// assertNothingEmpty makes the document grow with the types.
func assertNothingEmpty(t *testing.T, value reflect.Value, path string) {
	t.Helper()
	if value.IsZero() {
		t.Errorf("the full document says nothing about %s: add it", path)
		return
	}
	switch value.Kind() {
	case reflect.Pointer:
		assertNothingEmpty(t, value.Elem(), path)
	case reflect.Slice:
		assertNothingEmpty(t, value.Index(0), path+"[0]")
	case reflect.Struct:
		if value.Type().PkgPath() != reflect.TypeFor[v1alpha1.CatalogImage]().PkgPath() {
			return // somebody else's type
		}
		for n := range value.NumField() {
			if value.Type().Field(n).Tag.Get("json") == "-" {
				continue // no document has it
			}
			assertNothingEmpty(t, value.Field(n), path+"."+value.Type().Field(n).Name)
		}
	}
}

func TestAnEmptySpecEncodesWithoutNoise(t *testing.T) {
	encoded, err := json.Marshal(v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"image": "quay.io/acme/autosd:1", "metadata": {}}`, string(encoded))
}
