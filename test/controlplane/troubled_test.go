//go:build controlplane

package controlplane

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// troubled is a registry with one image that can be away, or throttle, and counts.
type troubled struct {
	ref             name.Reference
	away, throttles atomic.Bool
	requests        atomic.Int64
}

func newTroubled(t *testing.T) *troubled {
	t.Helper()
	o := &troubled{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests.Add(1)
		switch {
		case o.away.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case o.throttles.Load():
			w.Header().Set("Retry-After", "10")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	var err error
	o.ref, err = name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/acme/autosd:1")
	require.NoError(t, err)
	push(t, o.ref)
	return o
}

// publish makes so many entries, named autosd-0 and so on, of tags of one image, in a namespace of their own.
func publish(t *testing.T, ref name.Reference, count int) (namespace string) {
	t.Helper()
	image, err := remote.Image(ref)
	require.NoError(t, err)
	namespace = newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	for n := range count {
		tag := ref.Context().Tag(fmt.Sprint(n))
		require.NoError(t, remote.Tag(tag, image))
		_, err := entries.Create(t.Context(), newEntry(fmt.Sprintf("autosd-%d", n), tag.Name()), metav1.CreateOptions{})
		require.NoError(t, err)
	}
	return namespace
}

// askAll asks for a check of every entry of a namespace.
func askAll(t *testing.T, namespace string) {
	t.Helper()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	list, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	ask := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.CheckRequestedAtAnnotation, time.Now().UTC().Format(time.RFC3339Nano))
	for i := range list.Items {
		_, err := entries.Patch(t.Context(), list.Items[i].Name, types.MergePatchType, ask, metav1.PatchOptions{})
		require.NoError(t, err)
	}
}

func countFresh(t *testing.T, namespace string, status corev1.ConditionStatus) int {
	t.Helper()
	list, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	found := 0
	for i := range list.Items {
		if fresh := list.Items[i].Status.GetCondition(v1alpha1.ConditionFresh); fresh != nil && fresh.Status == status {
			found++
		}
	}
	return found
}
