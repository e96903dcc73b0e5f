package v1alpha1_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestAFullPolicyKeepsEveryField(t *testing.T) {
	document := fullDocument(t, "testdata/full-policy.yaml")
	var policy v1alpha1.CatalogPolicy
	require.NoError(t, yaml.UnmarshalStrict(document, &policy))

	assertNothingEmpty(t, reflect.ValueOf(policy.Spec), "spec")
	assertNothingEmpty(t, reflect.ValueOf(policy.Status), "status")
	encoded, err := json.Marshal(policy)
	require.NoError(t, err)
	want, err := yaml.YAMLToJSON(document)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(encoded))
	assert.Equal(t, &policy, policy.DeepCopy())
}
