//go:build registries

package registries

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

// What a look-up costs, as the package comment of pkg/registry promises: an image 3 requests, an index of p platforms
// 2+2p, with the ping that only the first look-up of a registry needs.
func TestRequestCounts(t *testing.T) {
	t.Parallel()
	for _, b := range []*backend{open, debian, modern} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, b)
			for _, test := range []struct {
				title, reference string
				head             bool
				first, again     int
			}{
				{"an image", imageTag, false, 3, 1},
				{"an index", indexTag, false, 2 + 2*platformCount, 1}, // its images cannot change
				{"HEAD", imageTag, true, 2, 1},
			} {
				client := f.client(t)
				for turn, want := range []int{test.first, test.again} {
					f.Forget()
					require.NoError(t, f.read(t, client, test.reference, test.head))
					assert.Len(t, f.Log(), want, "%s, turn %d:\n%s", test.title, turn, f.Log())
				}
			}
		})
	}
}

// Who asks at once saves the ping where everybody may ask, and nothing else anywhere.
func TestRequestCountsAtOnce(t *testing.T) {
	t.Parallel()
	for b, want := range map[*backend]int{open: 2, debian: 3, modern: 2} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, b)
			require.NoError(t, f.read(t, f.clientAtOnce(t), imageTag, false))
			assert.Len(t, f.Log(), want, f.Log())
		})
	}
}

func (f *front) clientAtOnce(t *testing.T) *registry.Client {
	t.Helper()
	return registry.New(settings(t, f.entry), registry.AskAtOnce())
}

// Tokens cost one request more, at the token server.
func TestRequestCountsWithTokens(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	require.NoError(t, r.read(t, r.client(t), imageTag, false))
	assert.Len(t, r.Log(), 3, r.Log())
	assert.Len(t, r.server.Log(), 1, r.server.Log())
}

func (f *front) read(t *testing.T, client *registry.Client, reference string, head bool) error {
	t.Helper()
	if head {
		_, err := client.Head(patient(t), ref(t, f.Host, reference), f.keychain())
		return err
	}
	_, err := client.Describe(patient(t), ref(t, f.Host, reference), f.keychain())
	return err
}
