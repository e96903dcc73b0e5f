package policy_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// shelf holds stored policies.
type shelf struct {
	policies []*v1alpha1.CatalogPolicy
	err      error
}

func (s *shelf) List(labels.Selector) ([]*v1alpha1.CatalogPolicy, error) { return s.policies, s.err }

func called(name string) option { return func(p *v1alpha1.CatalogPolicy) { p.Name = name } }

func version(uid types.UID, resource string) option {
	return func(p *v1alpha1.CatalogPolicy) { p.UID, p.ResourceVersion = uid, resource }
}

func names(policies []*policy.Policy) []string {
	found := []string{}
	for _, p := range policies {
		found = append(found, p.Name)
	}
	return found
}

func TestTheLibraryFindsWhatSelectsAnImage(t *testing.T) {
	image := repository(t, "quay.io/acme/autosd:1")
	library := policy.NewLibrary(&shelf{policies: []*v1alpha1.CatalogPolicy{
		stored(called("zeta"), fields("distro")),
		stored(called("others"), globs("quay.io/other/**"), fields("distro")),
		stored(called("invalid"), expression("no")),
		stored(called("alpha"), fields("distro"), warn),
		stored(called("no-glob"), globs("quay.io"), fields("distro")),
	}})
	selecting, err := library.Selecting(image, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"alpha", "invalid", "zeta"}, names(selecting))
}

func TestTheLibraryReadsEachVersionOnce(t *testing.T) {
	image := repository(t, "quay.io/acme/autosd:1")
	held := &shelf{policies: []*v1alpha1.CatalogPolicy{stored(called("a"), fields("distro")), stored(called("b"), fields("distro"))}}
	library := policy.NewLibrary(held)
	get := func() []*policy.Policy {
		selecting, err := library.Selecting(image, nil)
		require.NoError(t, err)
		return selecting
	}
	first := get()
	assert.Same(t, first[0], get()[0])

	held.policies[0] = stored(called("a"), fields("distro", "os"), version("1", "2"))
	second := get()
	assert.NotSame(t, first[0], second[0], "another version")
	assert.Same(t, first[1], second[1])
	held.policies[1] = stored(called("b"), fields("distro"), version("2", "1"))
	assert.NotSame(t, second[1], get()[1], "another policy of that name")

	held.policies = held.policies[:1]
	assert.Equal(t, []string{"a"}, names(get()))
	held.policies = append(held.policies, stored(called("b"), fields("distro"), version("2", "1")))
	assert.NotSame(t, second[1], get()[1], "what was deleted was forgotten")
}

// Only the images that a policy is for wait for its keys.
func TestWhoWaitsForKeys(t *testing.T) {
	held := &shelf{policies: []*v1alpha1.CatalogPolicy{
		stored(called("ready"), globs("quay.io/**"), fields("distro")),
		stored(called("waiting"), globs("quay.io/acme/**"), secret("release", "release-key")),
	}}
	library := policy.NewLibrary(held)
	_, err := library.Selecting(repository(t, "quay.io/acme/autosd:1"), nil)
	require.ErrorIs(t, err, policy.ErrKeysNotRead)
	concerned, err := library.SelectingImage(repository(t, "quay.io/acme/autosd:1"))
	require.NoError(t, err)
	assert.Equal(t, []string{"ready", "waiting"}, names(concerned))
	selecting, err := library.Selecting(repository(t, "quay.io/other/autosd:1"), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"ready"}, names(selecting))

	held.policies[1] = stored(called("waiting"), globs("quay.io/acme/**"), secret("release", "release-key"), observed(), version("1", "2"))
	selecting, err = library.Selecting(repository(t, "quay.io/acme/autosd:1"), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"ready", "waiting"}, names(selecting))
}

func TestALibraryThatCannotBeEntered(t *testing.T) {
	library, closed := policy.NewLibrary(&shelf{err: errors.New("closed")}), "closed"
	_, err := library.Selecting(repository(t, "quay.io/acme/autosd:1"), nil)
	assert.EqualError(t, err, closed)
	_, err = library.SelectingImage(repository(t, "quay.io/acme/autosd:1"))
	assert.EqualError(t, err, closed)
}
