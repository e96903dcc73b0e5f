package catalogimage

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

func TestTheStatusIsBounded(t *testing.T) {
	many := &registry.Description{Digest: digestA}
	for n := range 1000 {
		many.Layers = append(many.Layers, registry.Layer{Digest: fmt.Sprintf("sha256:%064x", n)})
	}
	many.Platforms = make([]registry.Platform, 100)
	many.Files = make([]registry.File, 100)
	var status v1alpha1.CatalogImageStatus
	record(&status, many, make([]registry.Referrer, 100), now)
	assert.Len(t, status.Platforms, 64)
	assert.Len(t, status.Artifacts, 64)
	assert.Len(t, status.Referrers, 64)
	assert.LessOrEqual(t, registry.MaxNameBytes, v1alpha1.MaxName, "the names that the registry layer lets through fit the schema")
	assert.EqualValues(t, 1000, status.LayerCount, "all are counted")
	require.Len(t, status.Layers, 128, "the first are listed")
	assert.Equal(t, many.Layers[127].Digest, status.Layers[127].Digest)
}

func TestNothingOfTheImageBeforeIsLeft(t *testing.T) {
	before := entry(describedSingle(digestA), func(i *v1alpha1.CatalogImage) { i.Status.ArtifactType = "application/vnd.acme.disk.v1" })
	record(&before.Status, &registry.Description{Digest: digestB}, nil, now)
	before.Status.Conditions, before.Status.History = nil, nil // which are judged apart
	at := metav1.NewTime(now)
	assert.Equal(t, v1alpha1.CatalogImageStatus{Digest: digestB, DigestSince: &at}, before.Status)
}

func TestDatesHaveThePrecisionThatTheAPIKeeps(t *testing.T) {
	var status v1alpha1.CatalogImageStatus
	record(&status, &registry.Description{Created: created.Add(999 * time.Millisecond)}, nil, now)
	assert.True(t, status.CreatedAt.Time.Equal(created), "%s", status.CreatedAt)
}
