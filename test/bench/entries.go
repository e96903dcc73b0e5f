package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// source is what an informer lists and watches in place of an API server: entries that do not change.
type source struct{ cache.ListWatch }

func newSource(entries int) *source {
	return &source{cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return synthesize(entries), nil
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return watch.NewFake(), nil
		},
	}}
}

// IsWatchListSemanticsUnSupported has the informer list and then watch.
func (*source) IsWatchListSemanticsUnSupported() bool { return true }

// The boards that entries are built for, with the architecture of each.
var boards = []struct{ target, architecture v1alpha1.Facet }{
	{"raspberry-pi", "arm64"},
	{"qemu", "amd64"},
	{"beaglebone", "arm64"},
	{"jetson", "arm64"},
	{"intel-nuc", "amd64"},
}

const (
	layersOfAnEntry = 6
	layerBytes      = 14 << 20
)

// synthesize makes a catalog of images that were built, published and looked up: the same one every time. The entries
// are a minute apart, in 50 namespaces; every fifth is for the Raspberry Pi.
func synthesize(entries int) *v1alpha1.CatalogImageList {
	list := &v1alpha1.CatalogImageList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for n := range entries {
		list.Items = append(list.Items, *entry(n))
	}
	return list
}

func entry(n int) *v1alpha1.CatalogImage {
	board := boards[n%len(boards)]
	bootc := true
	return &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         fmt.Sprintf("team-%d", n%50),
			Name:              fmt.Sprintf("autosd-%s-%d", board.target, n),
			UID:               types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", n)),
			ResourceVersion:   "1",
			CreationTimestamp: published(n),
		},
		Spec: v1alpha1.CatalogImageSpec{
			Image:       fmt.Sprintf("quay.io/acme/autosd-%s:nightly-%d", board.target, n),
			Digest:      digest("image", n),
			DisplayName: fmt.Sprintf("AutoSD nightly %d for %s", n, board.target),
			Tags:        []string{"nightly", "minimal"},
			Channel:     "dev",
			Metadata: v1alpha1.ImageMetadata{
				Architecture:  board.architecture,
				OS:            "linux",
				Distro:        "autosd",
				DistroVersion: "10",
				Targets:       []v1alpha1.Target{{Name: board.target, Verified: true}},
				Bootc:         &bootc,
				BuildMode:     "bootc",
				ExportFormat:  "qcow2",
				KernelVersion: "6.12.0-55.el10",
			},
		},
		Status: status(n, board.target, board.architecture),
	}
}

func status(n int, target, architecture v1alpha1.Facet) v1alpha1.CatalogImageStatus {
	checked := published(n)
	s := v1alpha1.CatalogImageStatus{
		Status: duckv1.Status{Conditions: duckv1.Conditions{
			holds(v1alpha1.ConditionReady, n), holds(v1alpha1.ConditionResolved, n), holds(v1alpha1.ConditionUnique, n),
		}},
		Phase:         v1alpha1.PhaseAvailable,
		Image:         fmt.Sprintf("quay.io/acme/autosd-%s@%s", target, digest("image", n)),
		Digest:        digest("image", n),
		MediaType:     "application/vnd.oci.image.manifest.v1+json",
		SizeBytes:     layersOfAnEntry * layerBytes,
		CreatedAt:     &checked,
		LayerCount:    layersOfAnEntry,
		LastCheckedAt: &checked,
		Platforms:     []v1alpha1.Platform{{OS: "linux", Architecture: string(architecture), LayerCount: layersOfAnEntry}},
	}
	for layer := range layersOfAnEntry {
		s.Layers = append(s.Layers, v1alpha1.Layer{
			Digest:    digest("layer", n*layersOfAnEntry+layer),
			MediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
			SizeBytes: layerBytes,
		})
	}
	return s
}

func holds(condition apis.ConditionType, n int) apis.Condition {
	return apis.Condition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: apis.VolatileTime{Inner: published(n)}}
}

func published(n int) metav1.Time {
	epoch := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return metav1.NewTime(epoch.Add(time.Duration(n) * time.Minute))
}

func digest(of string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", of, n))
	return "sha256:" + hex.EncodeToString(sum[:])
}
