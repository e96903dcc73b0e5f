package claim

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgotesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
)

func TestLiveEntries(t *testing.T) {
	deleting := entry("deleting", "quay.io/acme/autosd:1", "")
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	deleting.Finalizers = []string{"somebody.example/keeps-it"}
	entries := LiveEntries(fake.NewSimpleClientset(
		deleting,
		entry("following", "quay.io/acme/autosd:1", ""),
		entry("pinned", "quay.io/acme/autosd:1", digestA),
		entry("old", "UPPER/case:1", ""),
	).ImagecatalogV1alpha1())
	for title, test := range map[string]struct{ namespace, name, want string }{
		"gone":                  {"radar", "gone", ""},
		"of another namespace":  {"lidar", "following", ""},
		"being deleted":         {"radar", "deleting", ""},
		"follows a tag":         {"radar", "following", "quay.io/acme/autosd:1"},
		"pinned":                {"radar", "pinned", "quay.io/acme/autosd@" + digestA},
		"of a reference of old": {"radar", "old", ""},
	} {
		claim, err := entries.Claim(t.Context(), test.namespace, test.name)
		require.NoError(t, err, title)
		assert.Equal(t, test.want, claim.Identity, title)
	}
}

func TestLiveEntriesOfAnAPIServerThatIsDown(t *testing.T) {
	down := errors.New("connection refused")
	catalog := fake.NewSimpleClientset()
	catalog.PrependReactor("get", "catalogimages", func(clientgotesting.Action) (bool, runtime.Object, error) { return true, nil, down })
	_, err := LiveEntries(catalog.ImagecatalogV1alpha1()).Claim(t.Context(), "radar", "autosd")
	assert.ErrorIs(t, err, down, "no answer is not the answer that there is no entry")
}
