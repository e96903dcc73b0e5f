// Package imagetest makes entries of the catalog to test with.
package imagetest

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Epoch is when nothing was published yet; Digest is that of what was found.
var (
	Epoch  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	Digest = "sha256:" + strings.Repeat("ab", 32)
)

// Option says something more about an entry.
type Option func(*v1alpha1.CatalogImage)

// Image is an entry that was published some minutes after the epoch.
func Image(namespace, name string, minutes int, options ...Option) *v1alpha1.CatalogImage {
	image := &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         namespace,
			Name:              name,
			CreationTimestamp: metav1.NewTime(Epoch.Add(time.Duration(minutes) * time.Minute)),
		},
		Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme/" + name + ":1"},
	}
	for _, o := range options {
		o(image)
	}
	return image
}

// UID tells an entry from another of the same name.
func UID(uid types.UID) Option { return func(i *v1alpha1.CatalogImage) { i.UID = uid } }

// Architecture declares the architecture.
func Architecture(name v1alpha1.Facet) Option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Metadata.Architecture = name }
}

// Platforms has the registry tell of platforms.
func Platforms(architectures ...string) Option {
	return func(i *v1alpha1.CatalogImage) {
		for _, a := range architectures {
			i.Status.Platforms = append(i.Status.Platforms, v1alpha1.Platform{OS: "linux", Architecture: a})
		}
	}
}

// Distro declares the distribution.
func Distro(name v1alpha1.Facet) Option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Metadata.Distro = name }
}

// Channel declares the channel.
func Channel(name v1alpha1.Facet) Option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Channel = name }
}

// Targets declares the targets.
func Targets(names ...v1alpha1.Facet) Option {
	return func(i *v1alpha1.CatalogImage) {
		for _, name := range names {
			i.Spec.Metadata.Targets = append(i.Spec.Metadata.Targets, v1alpha1.Target{Name: name})
		}
	}
}

// Tags gives free-form categories.
func Tags(names ...string) Option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Tags = names }
}

// Phase sets the phase.
func Phase(phase v1alpha1.Phase) Option {
	return func(i *v1alpha1.CatalogImage) { i.Status.Phase = phase }
}

// Unready has Ready be False.
func Unready(reason, message string) Option {
	return func(i *v1alpha1.CatalogImage) {
		i.Status.Conditions = append(i.Status.Conditions, apis.Condition{
			Type: v1alpha1.ConditionReady, Status: corev1.ConditionFalse, Reason: reason, Message: message,
			LastTransitionTime: apis.VolatileTime{Inner: metav1.NewTime(Epoch)},
		})
	}
}

// Checked has the registry be asked some minutes after the epoch.
func Checked(minutes int) Option {
	return func(i *v1alpha1.CatalogImage) {
		at := metav1.NewTime(Epoch.Add(time.Duration(minutes) * time.Minute))
		i.Status.LastCheckedAt = &at
	}
}

// Available has the image be found.
func Available() Option {
	return func(i *v1alpha1.CatalogImage) {
		i.Status.Phase, i.Status.Digest, i.Status.Image = v1alpha1.PhaseAvailable, Digest, i.Spec.Image
	}
}
