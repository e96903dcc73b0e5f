package catalogimage

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestChecksAreSpreadOverTheInterval(t *testing.T) {
	const entries, minutes = 6000, 60
	inMinute := map[int]int{}
	for n := range entries { // all were checked at the same moment
		i := named(fmt.Sprintf("autosd-%d", n))
		due := slotAfter(i, now)
		assert.GreaterOrEqual(t, due.Sub(now), interval/2)
		assert.Less(t, due.Sub(now), interval*3/2)
		inMinute[int(due.Sub(now)/time.Minute)%minutes]++
	}
	for minute := range minutes {
		assert.InDelta(t, entries/minutes, inMinute[minute], 50, "in minute %d", minute)
	}
}

// The moments of an entry are an interval apart, whenever it was checked in between.
func TestAnEntryKeepsItsSlot(t *testing.T) {
	for _, options := range [][]option{nil, {every(time.Minute)}, {every(17 * time.Hour)}} {
		i := entry(options...)
		interval := i.Spec.Interval()
		first := slotAfter(i, now)
		assert.Equal(t, first.Add(interval), slotAfter(i, first), "checked on time")
		assert.Equal(t, first.Add(interval), slotAfter(i, first.Add(interval/3)), "checked late")
		assert.Equal(t, first.Add(2*interval), slotAfter(i, first.Add(interval*4/5)), "checked very late: not twice in short time")
	}
}

// What is stored may be older than the rules of the schema: an interval is never zero.
func TestAnOddIntervalHasSlotsToo(t *testing.T) {
	for _, odd := range []time.Duration{0, -time.Hour, 1} {
		assert.Less(t, slotAfter(entry(every(odd)), now).Sub(now), 2*v1alpha1.MinCheckInterval)
	}
}
