//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/faults"
)

// troubled is a registry behind a proxy that has faults. The catalog asks by way of the proxy, and the test directly.
type troubled struct {
	*faults.Proxy
	direct name.Repository
}

func newTroubled(t *testing.T) *troubled {
	t.Helper()
	inner := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(inner)
	t.Cleanup(server.Close)
	direct, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/acme/autosd")
	require.NoError(t, err)
	proxy, err := faults.NewProxy(new(faults.Ledger), faults.Site{}, inner)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	return &troubled{proxy, direct}
}

// tagged is how an entry names a tag of the registry.
func (r *troubled) tagged(tag string) string {
	return r.Host + "/" + r.direct.RepositoryStr() + ":" + tag
}

// publish makes so many entries, named autosd-0 and so on, of the tags 0 and so on of one image, in a namespace of their
// own. It returns when they are available.
func (r *troubled) publish(t *testing.T, count int, checkInterval time.Duration) (*vigil, v1.Image) {
	t.Helper()
	v, image := r.put(t, count, checkInterval)
	v.await(t, count, isAvailable)
	return v, image
}

// put is publish for entries that may not become available.
func (r *troubled) put(t *testing.T, count int, checkInterval time.Duration) (*vigil, v1.Image) {
	t.Helper()
	image, err := random.Image(512, 1)
	require.NoError(t, err)
	require.NoError(t, remote.Write(r.direct.Tag("0"), image))
	v := newVigil(t)
	eachOf(t, count, func(ctx context.Context, n int) error {
		tag := fmt.Sprint(n)
		if err := remote.Tag(r.direct.Tag(tag), image, remote.WithContext(ctx)); err != nil {
			return err
		}
		entry := newEntry("autosd-"+tag, r.tagged(tag))
		entry.Spec.CheckInterval = &metav1.Duration{Duration: checkInterval}
		_, err := catalog.ImagecatalogV1alpha1().CatalogImages(v.namespace).Create(ctx, entry, metav1.CreateOptions{})
		return err
	})
	return v, image
}

// eachOf does something for every number below count, a few at a time.
func eachOf(t *testing.T, count int, do func(context.Context, int) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for n := range count {
		group.Go(func() error { return do(ctx, n) })
	}
	require.NoError(t, group.Wait())
}

// fromCache has the API server answer from its cache: it need not be asked of etcd how far that is.
var fromCache = metav1.ListOptions{ResourceVersion: "0"}

// askAll asks for a check of every entry of a namespace.
func askAll(t *testing.T, namespace string) {
	t.Helper()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	list, err := entries.List(t.Context(), fromCache)
	require.NoError(t, err)
	ask := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.CheckRequestedAtAnnotation, time.Now().UTC().Format(time.RFC3339Nano))
	eachOf(t, len(list.Items), func(ctx context.Context, n int) error {
		_, err := entries.Patch(ctx, list.Items[n].Name, types.MergePatchType, ask, metav1.PatchOptions{})
		return err
	})
}

func countAvailable(t *testing.T, namespace string) int {
	t.Helper()
	list, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).List(t.Context(), fromCache)
	require.NoError(t, err)
	found := 0
	for i := range list.Items {
		if isAvailable(&list.Items[i]) {
			found++
		}
	}
	return found
}
