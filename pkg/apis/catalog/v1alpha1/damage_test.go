package v1alpha1_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// One field that cannot be read costs that field, not the entry, and so not the list of all entries.
func TestAStatusOfAnotherSchemaIsRead(t *testing.T) {
	for document, damaged := range map[string][]string{
		`{"digest": 7, "phase": "Available"}`:                                {"status.digest"},
		`{"layers": "none", "platforms": {}, "phase": "Available"}`:          {"status.layers", "status.platforms"},
		`{"conditions": [{"lastTransitionTime": 1}], "phase": "Available"}`:  {"status.conditions"},
		`{"lastCheckedAt": "yesterday", "phase": "Available"}`:               {"status.lastCheckedAt"},
		`{"phase": "Available", "unknown": {"field": ["of", "a", "later"]}}`: nil,
	} {
		var entries v1alpha1.CatalogImageList
		require.NoError(t, json.Unmarshal([]byte(`{"items": [{"spec": {"image": "a"}, "status": `+document+`}, {"spec": {"image": "b"}}]}`), &entries), document)
		require.Len(t, entries.Items, 2)
		assert.Equal(t, damaged, entries.Items[0].Status.Damaged, document)
		assert.Equal(t, v1alpha1.PhaseAvailable, entries.Items[0].Status.Phase, "%s: the rest is read", document)
		assert.Equal(t, "b", entries.Items[1].Spec.Image)
	}
	for _, document := range []string{`"text"`, `7`, `[]`} {
		var entry v1alpha1.CatalogImage
		require.NoError(t, json.Unmarshal([]byte(`{"spec": {"image": "a"}, "status": `+document+`}`), &entry))
		assert.Equal(t, []string{"status"}, entry.Status.Damaged)
	}
}

func TestDamage(t *testing.T) {
	var sound v1alpha1.CatalogImage
	require.NoError(t, yaml.UnmarshalStrict(fullDocument(t, "testdata/full.yaml"), &sound))
	now := sound.Status.LastCheckedAt.Time
	sound.Status.Digest = "sha256:" + strings.Repeat("a", 64) // the document's is short
	sound.Status.History[0].Digest = sound.Status.Digest
	require.Empty(t, sound.Status.Damage(now))
	assert.Empty(t, sound.Status.Damage(now.Add(-time.Minute)), "clocks differ")
	assert.Equal(t, []string{"status.lastCheckedAt"}, sound.Status.Damage(now.Add(-time.Hour)))

	var fresh v1alpha1.CatalogImageStatus
	assert.Empty(t, fresh.Damage(now), "one that was never written is sound")
	fresh.MarkResolved()
	assert.Equal(t, []string{"status.digest"}, fresh.Damage(now), "nothing is resolved to no digest")
	fresh.Distrust()
	assert.Empty(t, fresh.Damage(now))
}

// Whatever is stored, the entry is read, and what is told of it can be.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"digest": "sha256:0", "layers": [{"sizeBytes": -1}], "conditions": [{"type": "Ready", "status": "Maybe"}]}`))
	f.Add([]byte(`{"history": [{"digest": 1}], "checkRequest": []}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if !json.Valid(document) {
			return
		}
		var status v1alpha1.CatalogImageStatus
		require.NoError(t, json.Unmarshal(document, &status))
		if len(status.Damage(time.Now())) > 0 {
			status.Distrust()
		}
		assert.Empty(t, status.Damage(time.Now()))
		status.DerivePhase()
	})
}
