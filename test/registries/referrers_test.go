//go:build registries

package registries

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// Signatures are found by the referrers API, in one page or in many, and where there is none under the referrers tag. The
// answer is the same.
func TestReferrers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		title  string
		b      *backend
		faults []faults.Fault
		asked  int // with the ping
	}{
		{"API", modern, nil, 2},
		{"API in pages of two", modern, []faults.Fault{faults.Paged(2).At("/referrers/")}, 4},
		{"API in pages of one", modern, []faults.Fault{faults.Paged(1).At("/referrers/")}, 6},
		{"tag of distribution 3", open, nil, 3},
		{"tag of distribution 2.8", debian, nil, 3},
		{"tag where the API is switched off", modern, []faults.Fault{faults.Status(405).At("/referrers/")}, 4},
	} {
		t.Run(test.title, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, test.b)
			f.Inject(test.faults...)
			found, err := f.client(t).Referrers(patient(t), imageDigest(t, f.Host), f.keychain())
			require.NoError(t, err, f.Log())
			assert.Len(t, f.Log(), test.asked, f.Log())
			if test.title == "tag where the API is switched off" {
				assert.Empty(t, found, "who pushed found the API, and wrote no tag")
				return
			}
			assert.ElementsMatch(t, signatures(t), digests(found), f.Log())
		})
	}
}

// An image that nothing refers to has no referrers, which is no failure.
func TestNoReferrers(t *testing.T) {
	t.Parallel()
	for _, b := range []*backend{modern, open, debian} {
		f := newFront(t, b)
		index, err := newIndex()
		require.NoError(t, err)
		digest, err := index.Digest()
		require.NoError(t, err)
		found, err := f.client(t).Referrers(patient(t), ref(t, f.Host, indexTag).Context().Digest(digest.String()), f.keychain())
		require.NoError(t, err, f.Log())
		assert.Empty(t, found, b.name)
	}
}

func signatures(t *testing.T) []string {
	t.Helper()
	image, err := newImage("arch0")
	require.NoError(t, err)
	var all []string
	for i := range signatureCount {
		signature, err := newSignature(i, image)
		require.NoError(t, err)
		digest, err := signature.Digest()
		require.NoError(t, err)
		all = append(all, digest.String())
	}
	return all
}

func digests(found []registry.Referrer) []string {
	var all []string
	for _, one := range found {
		all = append(all, one.Digest)
	}
	return all
}
