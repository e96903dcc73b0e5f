package query

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

var (
	epoch  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	digest = "sha256:" + strings.Repeat("ab", 32)
)

type option func(*v1alpha1.CatalogImage)

// image is an entry that was published some minutes after the epoch.
func image(namespace, name string, minutes int, options ...option) *v1alpha1.CatalogImage {
	image := &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         namespace,
			Name:              name,
			CreationTimestamp: metav1.NewTime(epoch.Add(time.Duration(minutes) * time.Minute)),
		},
		Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme/" + name + ":1"},
	}
	for _, o := range options {
		o(image)
	}
	return image
}

func architecture(name v1alpha1.Facet) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Metadata.Architecture = name }
}

func platforms(architectures ...string) option {
	return func(i *v1alpha1.CatalogImage) {
		for _, a := range architectures {
			i.Status.Platforms = append(i.Status.Platforms, v1alpha1.Platform{OS: "linux", Architecture: a})
		}
	}
}

func distro(name v1alpha1.Facet) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Metadata.Distro = name }
}

func channel(name v1alpha1.Facet) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Channel = name }
}

func targets(names ...v1alpha1.Facet) option {
	return func(i *v1alpha1.CatalogImage) {
		for _, name := range names {
			i.Spec.Metadata.Targets = append(i.Spec.Metadata.Targets, v1alpha1.Target{Name: name})
		}
	}
}

func tags(names ...string) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Tags = names }
}

func phase(phase v1alpha1.Phase) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.Phase = phase }
}

func unready(reason, message string) option {
	return func(i *v1alpha1.CatalogImage) {
		i.Status.Conditions = append(i.Status.Conditions, apis.Condition{
			Type: v1alpha1.ConditionReady, Status: corev1.ConditionFalse, Reason: reason, Message: message,
			LastTransitionTime: apis.VolatileTime{Inner: metav1.NewTime(epoch)},
		})
	}
}

// indexOf holds the images and is complete.
func indexOf(images ...*v1alpha1.CatalogImage) *Index {
	index := newIndex()
	index.hasSynced = func() bool { return true }
	for _, i := range images {
		index.OnAdd(i, true)
	}
	return index
}

func namesOf(entries []*entry) []string {
	names := []string{}
	for _, e := range entries {
		names = append(names, e.name)
	}
	return names
}
