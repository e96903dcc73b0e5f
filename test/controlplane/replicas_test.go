//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The leader is killed in the midst of its work: another replica goes on, nothing is lost, and nothing is told twice.
func TestTheLeaderIsKilledWhileEntriesAreBeingPublished(t *testing.T) {
	const count = 300
	ref, _ := pushed(t)
	image, err := remote.Image(ref)
	require.NoError(t, err)
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	require.NoError(t, installed.Standby.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, installed.Standby.Stop()) })

	for n := range count {
		tag := ref.Context().Tag(fmt.Sprint(n))
		require.NoError(t, remote.Tag(tag, image))
		_, err := entries.Create(t.Context(), newEntry(fmt.Sprintf("autosd-%d", n), tag.Name()), metav1.CreateOptions{})
		require.NoError(t, err)
		if n == count/2 {
			require.NoError(t, installed.Controller.Kill())
		}
	}
	t.Cleanup(func() { assert.NoError(t, installed.Controller.Start(context.WithoutCancel(t.Context()))) })

	require.Eventually(t, func() bool { return countAvailable(t, namespace) == count }, 90*time.Second, time.Second)
	told := toldIn(t, namespace)
	for n := range count {
		assert.Contains(t, told, fmt.Sprintf("autosd-%d Published", n))
	}
	for what, times := range told {
		assert.Equal(t, 1, times, what)
	}
}
