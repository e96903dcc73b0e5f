package registry

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

// State is how a host is treated now.
type State struct {
	// Host with or without a port.
	Host string
	// Away says that the host is left alone, because it gave no answers, or that one request asks whether it is back.
	Away bool
	// UnderWay is the number of look-ups that it is asked about.
	UnderWay int
	// Throttled is the number of accounts that it has asked to stay away, and that do.
	Throttled int
}

// States are those of all hosts that were asked of late, in no order.
func (c *Client) States() []State {
	throttled := map[string]int{}
	for _, a := range c.accounts.Values() {
		if a.throttle.paused(time.Now()) {
			throttled[a.authority]++
		}
	}
	var states []State
	for _, key := range c.hosts.Keys() {
		h, ok := c.hosts.Peek(key)
		if !ok || key.foreign && c.hosts.Contains(hostKey{authority: key.authority}) {
			continue
		}
		states = append(states, State{
			Host:      key.authority,
			Away:      h.breaker.circuit.State() != gobreaker.StateClosed,
			UnderWay:  len(h.gate.slots),
			Throttled: throttled[key.authority],
		})
	}
	return states
}
