package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	logtesting "knative.dev/pkg/logging/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// Settings that change take effect, and then have those entries looked at again that they touch. What cannot be read
// changes nothing: neither does it open what was closed.
func TestSettingsAreFollowed(t *testing.T) {
	client, configured := registry.New(nil), 0
	observe := configure(logtesting.TestContextWithLogger(t), client, func(func(any) bool) { configured++ })
	private := func() bool { return client.Settings().Host("10.0.0.1").PrivateAddresses }

	open := noSettings()
	open.Data = map[string]string{"hosts": "10.0.0.1: {privateAddresses: true}"}
	observe(&open)
	assert.True(t, private())
	assert.Equal(t, 1, configured)

	broken, binary := noSettings(), noSettings()
	broken.Data = map[string]string{"hosts": "10.0.0.1: {privateAddresses: perhaps}"}
	binary.BinaryData = map[string][]byte{"allowed": {0xff}}
	for _, unreadable := range []corev1.ConfigMap{broken, binary} {
		observe(&unreadable)
		assert.True(t, private(), "what held before is kept")
		assert.Equal(t, 1, configured)
	}
	none := noSettings()
	observe(&none)
	assert.False(t, private())
	assert.Equal(t, 2, configured)
}

// Only entries for which a check may have another outcome.
func TestWhichEntriesChangedSettingsTouch(t *testing.T) {
	waiting := outage("RegistryUnavailable", "later", 0)
	entries := []*v1alpha1.CatalogImage{
		named("well", observed, resolved, checked(0)),
		named("waits", observed, waiting),
		named("elsewhere", image("ghcr.io/acme/autosd:1"), observed, resolved, checked(0)),
		named("waits-elsewhere", image("ghcr.io/acme/autosd:2"), observed, waiting),
		named("of-no-image", image("UPPER/case:1"), observed, waiting),
	}
	const hosts = "quay.io: {privateAddresses: true}"
	for title, test := range map[string]struct {
		before, after map[string]string
		want          []string
	}{
		"nothing":                {map[string]string{"hosts": hosts}, map[string]string{"hosts": hosts + " # the same"}, nil},
		"limits":                 {map[string]string{"hosts": hosts}, map[string]string{"hosts": "quay.io: {privateAddresses: true, maxConcurrent: 1}"}, nil},
		"a host":                 {nil, map[string]string{"hosts": hosts}, []string{"waits", "waits-elsewhere"}},
		"all other hosts":        {nil, map[string]string{"hosts": `"*": {privateAddresses: true}`}, []string{"waits", "waits-elsewhere"}},
		"less is allowed":        {nil, map[string]string{"allowed": "quay.io/**"}, []string{"elsewhere", "waits-elsewhere"}},
		"more is allowed":        {map[string]string{"allowed": "ghcr.io/**"}, nil, []string{"well", "waits"}},
		"as much is allowed":     {map[string]string{"allowed": "ghcr.io/**"}, map[string]string{"allowed": "ghcr.io/acme/*"}, nil},
		"something else":         {map[string]string{"allowed": "ghcr.io/**"}, map[string]string{"allowed": "quay.io/**"}, []string{"well", "waits", "elsewhere", "waits-elsewhere"}},
		"a host, and little was": {map[string]string{"allowed": "ghcr.io/**"}, map[string]string{"allowed": "ghcr.io/**", "hosts": hosts}, []string{"waits-elsewhere"}},
	} {
		before, err := registry.ParseSettings(test.before)
		require.NoError(t, err)
		after, err := registry.ParseSettings(test.after)
		require.NoError(t, err)
		touches := touched(before, after)
		var got []string
		for _, i := range entries {
			if touches(i) {
				got = append(got, i.Name)
			}
		}
		assert.ElementsMatch(t, test.want, got, title)
		assert.False(t, touches("text"), title)
	}
}
