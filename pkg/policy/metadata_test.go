package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

func TestEveryFieldCanBeRequired(t *testing.T) {
	no := false
	for field, give := range map[v1alpha1.MetadataField]func(*v1alpha1.ImageMetadata){
		v1alpha1.FieldArchitecture:  func(m *v1alpha1.ImageMetadata) { m.Architecture = "arm64" },
		v1alpha1.FieldOS:            func(m *v1alpha1.ImageMetadata) { m.OS = "linux" },
		v1alpha1.FieldVariant:       func(m *v1alpha1.ImageMetadata) { m.Variant = "v8" },
		v1alpha1.FieldDistro:        func(m *v1alpha1.ImageMetadata) { m.Distro = "autosd" },
		v1alpha1.FieldDistroVersion: func(m *v1alpha1.ImageMetadata) { m.DistroVersion = "9" },
		v1alpha1.FieldTargets:       func(m *v1alpha1.ImageMetadata) { m.Targets = []v1alpha1.Target{{Name: "qemu"}} },
		v1alpha1.FieldBootc:         func(m *v1alpha1.ImageMetadata) { m.Bootc = &no },
		v1alpha1.FieldBuildMode:     func(m *v1alpha1.ImageMetadata) { m.BuildMode = "image" },
		v1alpha1.FieldExportFormat:  func(m *v1alpha1.ImageMetadata) { m.ExportFormat = "qcow2" },
		v1alpha1.FieldKernelVersion: func(m *v1alpha1.ImageMetadata) { m.KernelVersion = "6.12" },
	} {
		p, bare := read(t, fields(field)), entry(func(e *v1alpha1.CatalogImage) { e.Status.Platforms = nil })
		v := p.Judge(bare, none)
		assert.Equal(t, v1alpha1.PolicyViolated, v.Outcome, field)
		assert.Equal(t, policy.ReasonMetadataMissing, v.Reason)
		assert.Equal(t, "spec.metadata."+string(field)+" is not given: publish the image with it", v.Message)
		give(&bare.Spec.Metadata)
		assert.Equal(t, v1alpha1.PolicySatisfied, p.Judge(bare, none).Outcome, field)
	}
}

// What every image of the index tells counts as given.
func TestTheImageTellsSomeFields(t *testing.T) {
	p := read(t, fields("architecture", "os", "variant"))
	v := p.Judge(entry(), none)
	assert.Equal(t, "spec.metadata.variant is not given: publish the image with it", v.Message)
	of := func(variants ...string) *v1alpha1.CatalogImage {
		return entry(func(e *v1alpha1.CatalogImage) {
			for n, variant := range variants {
				e.Status.Platforms[n].Variant = variant
			}
		})
	}
	assert.Equal(t, v1alpha1.PolicyViolated, p.Judge(of("v2", ""), none).Outcome)
	assert.Equal(t, v1alpha1.PolicySatisfied, p.Judge(of("v2", "v8"), none).Outcome)
}

func TestAFieldOfALaterVersionIsNotGiven(t *testing.T) {
	v := read(t, fields("licence")).Judge(entry(), none)
	assert.Equal(t, v1alpha1.PolicyViolated, v.Outcome)
}
