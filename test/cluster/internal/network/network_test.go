package network

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOverlaps(t *testing.T) {
	for route, want := range map[string]bool{
		"10.244.0.0/16": true,
		"10.244.7.0/24": true,
		"10.0.0.0/8":    true,
		"10.245.0.0/16": false,
		"0.0.0.0/0":     false,
	} {
		_, network, err := net.ParseCIDR(route)
		require.NoError(t, err)
		assert.Equal(t, want, overlaps(network, Pods), route)
	}
	assert.False(t, overlaps(nil, Pods), "the default route, as netlink gives it")
}

// TestGuardNamesThePodsNetwork holds the rules' text against the constant.
func TestGuardNamesThePodsNetwork(t *testing.T) {
	assert.Contains(t, guard, "ip saddr "+Pods+" ip daddr != "+Pods+" drop")
	assert.Contains(t, guard, "ip daddr "+Pods+" ip saddr != "+Pods+" drop")
}
