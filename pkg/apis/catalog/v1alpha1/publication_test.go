package v1alpha1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestPublishedAt(t *testing.T) {
	created := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for title, test := range map[string]struct {
		annotations map[string]string
		want        time.Time
	}{
		"no annotation":           {nil, created},
		"an annotation":           {map[string]string{v1alpha1.PublishedAtAnnotation: "2024-02-29T23:59:59Z"}, time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
		"in another zone":         {map[string]string{v1alpha1.PublishedAtAnnotation: "2024-03-01T00:59:59+01:00"}, time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
		"no time":                 {map[string]string{v1alpha1.PublishedAtAnnotation: "yesterday"}, created},
		"a date that never was":   {map[string]string{v1alpha1.PublishedAtAnnotation: "2025-02-29T00:00:00Z"}, created},
		"the time of nothing":     {map[string]string{v1alpha1.PublishedAtAnnotation: "0001-01-01T00:00:00Z"}, created},
		"an annotation of no use": {map[string]string{v1alpha1.PublishedAtAnnotation: ""}, created},
	} {
		entry := v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(created), Annotations: test.annotations}}
		assert.Equal(t, test.want, entry.PublishedAt(), title)
	}
}

func TestMarkPublished(t *testing.T) {
	entry := v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
		v1alpha1.PublishedAtAnnotation: "2026-11-21T10:00:00Z",
		v1alpha1.CreatorAnnotation:     "system:serviceaccount:radar:pipeline",
	}}}
	entry.Status.MarkPublished(&entry)
	assert.True(t, entry.Status.PublishedAt.Equal(&metav1.Time{Time: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}))
	assert.Equal(t, "system:serviceaccount:radar:pipeline", entry.Status.PublishedBy)

	entry.Annotations[v1alpha1.CreatorAnnotation] = strings.Repeat("ä", v1alpha1.MaxUser+1)
	entry.Status.MarkPublished(&entry)
	assert.Equal(t, strings.Repeat("ä", v1alpha1.MaxUser-1)+"…", entry.Status.PublishedBy)
}
