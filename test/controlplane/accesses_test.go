//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// The certificate of the webhook takes its time to rotate, and so do accesses to be counted: each has what it restarts or
// changes to itself.
func TestWhatTakesItsTime(t *testing.T) {
	t.Run("the certificate rotates without a refused request", func(t *testing.T) {
		t.Parallel()
		certificateRotates(t)
	})
	t.Run("accesses reach the status", func(t *testing.T) {
		t.Parallel()
		accessesReachTheStatus(t)
	})
}

// awaitAccesses has the entry checked until its status counts so many accesses; more it must never count.
func awaitAccesses(t *testing.T, namespace string, want int64) {
	t.Helper()
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	require.Eventually(t, func() bool {
		ask := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.CheckRequestedAtAnnotation, time.Now().UTC().Format(time.RFC3339Nano))
		_, err := entries.Patch(t.Context(), "autosd", types.MergePatchType, ask, metav1.PatchOptions{})
		require.NoError(t, err)
		entry, err := entries.Get(t.Context(), "autosd", metav1.GetOptions{})
		require.NoError(t, err)
		require.LessOrEqual(t, entry.Status.AccessCount, want)
		return entry.Status.AccessCount == want
	}, 2*time.Minute, time.Second)
}

// Both programs start again in between, and whatever is read of them twice is counted once.
func accessesReachTheStatus(t *testing.T) {
	namespace := newNamespace(t)
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).
		Create(t.Context(), newEntry("autosd", everyTag(t).Tag("entry-1").Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	client := startQuery(t)
	token, _ := newToken(t, namespace, "reader")
	access := func(path string) {
		require.Eventually(t, func() bool { return ask(t, client, token, path).status == http.StatusOK }, revocation, pause)
	}
	const listing, one, choice = "/v1/namespaces/%s/images", "/v1/namespaces/%s/images/autosd", "/v1/resolve?namespace=%s"
	path := func(format string) string { return fmt.Sprintf(format, namespace) }
	require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", "view", "--namespace", namespace, "--clusterrole", "imagecatalog-view", "--serviceaccount", namespace+":reader"))
	access(path(one))
	access(path(one))
	access(path(choice))
	access(path(listing))
	awaitAccesses(t, namespace, 3)

	access(path(one))
	require.NoError(t, installed.Controller.Kill())
	require.NoError(t, installed.EndTerm(t.Context()))
	require.NoError(t, installed.Controller.Start(context.WithoutCancel(t.Context())))
	awaitAccesses(t, namespace, 4)

	require.NoError(t, installed.Query.Kill())
	client = startQuery(t)
	access(path(one))
	awaitAccesses(t, namespace, 5)
}
