package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

// What is compared has to be the same work: both read every manifest and configuration, and every byte.
func TestBothSidesOfTheRegistryFiguresReadTheSame(t *testing.T) {
	base, end := serving(t, "-images", "4")
	l := &registryBench{images: 4, registry: &process{address: strings.TrimPrefix(base, "http://")}}
	var err error
	l.settings, err = registry.ParseSettings(map[string]string{"hosts": "127.0.0.1: {plainHTTP: true, privateAddresses: true}"})
	require.NoError(t, err)

	figures, err := l.requests(t.Context())
	require.NoError(t, err)
	got := map[string]figure{}
	for _, f := range figures {
		got[f.Name] = f
	}
	for name, requests := range map[string]float64{
		"registry/describe/requests/image": 3, "registry/describe/requests/index": 2 + 2*indexPlatforms, "registry/recheck/requests": 1,
	} {
		assert.InDelta(t, requests, got[name].Value, 0, name)
		assert.InDelta(t, requests, got[name].Baseline, 0, name)
	}

	figures, err = l.content(t.Context())
	require.NoError(t, err)
	require.Len(t, figures, 1)
	assert.Positive(t, figures[0].Value)
	require.NoError(t, end())
}

// One that hangs fails no look-up of the others, and all of them are counted.
func TestLookUpsBesideARegistryThatHangs(t *testing.T) {
	figures, err := (&registryBench{rounds: 1, lookUps: 100}).hung(t.Context())
	require.NoError(t, err)
	require.Len(t, figures, 1)
	for _, p99 := range []float64{figures[0].Value, figures[0].Baseline} {
		assert.GreaterOrEqual(t, p99, hostDistance.Seconds()*1000)
	}
}

func TestAWrongFileIsNoMeasurement(t *testing.T) {
	base, end := serving(t, "-images", "1")
	err := getAndHash(t.Context(), base+countPath, "sha256:0", make([]byte, 1024))
	assert.ErrorContains(t, err, "the bytes have sha256:")
	require.NoError(t, end())
}
