package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/reconciler"
)

// bucket has nothing but a name.
type bucket string

func (b bucket) Name() string                { return string(b) }
func (bucket) Has(types.NamespacedName) bool { return true }

func TestShares(t *testing.T) {
	var part float64
	s := &shares{apply: func(p float64) { part = p }}
	for _, step := range []struct {
		do   func(reconciler.Bucket)
		name string
		want float64
	}{
		{s.promoted, "controller.catalogimage.00-of-04", 0.25},
		{s.promoted, "controller.catalogimage.02-of-04", 0.5},
		{s.promoted, "controller.catalogimage.02-of-04", 0.5},
		{s.demoted, "controller.catalogimage.00-of-04", 0.25},
		{s.demoted, "controller.catalogimage.02-of-04", 0.25}, // nothing is asked, and the limits need not change
		{s.promoted, "controller.catalogimage.03-of-04", 0.25},
	} {
		step.do(bucket(step.name))
		assert.InDelta(t, step.want, part, 0.001, step.name)
	}
	alone := &shares{apply: func(p float64) { part = p }}
	alone.promoted(reconciler.UniversalBucket())
	assert.InDelta(t, 1, part, 0)
}
