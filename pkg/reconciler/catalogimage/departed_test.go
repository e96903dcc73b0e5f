package catalogimage

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/tally"
)

// Entries come and go for as long as a controller runs, each under a name of its own. What is known by entry goes with it.
func TestNothingIsKeptOfEntriesThatWent(t *testing.T) {
	s, store := newTrust(t, signedBy(t, newSigner(t))), storeOf(t)
	clock := func() time.Time { return s.at }
	gone, stored := newDeparted(clock), newVersions(store)
	counted := &accesses{entries: store, now: clock}
	counted.promoted(reconciler.UniversalBucket())
	handlers := []cache.ResourceEventHandler{enqueueOnIntent(newImpl(t), gone), stored.handler()}

	for n := range 1000 {
		s.entry = named(fmt.Sprint(n), uid(types.UID(fmt.Sprint(n))), inVersion("1"))
		require.NoError(t, store.Add(s.entry))
		s.reconcile()
		stored.note(named(s.entry.Name, inVersion("2")))
		counted.take(counted.term, []tally.Tally{{Replica: "query-0", Counts: map[types.UID]int64{s.entry.UID: 1}}}, true)
		require.NotNil(t, s.evidences.of(nameOf(s.entry), "quay.io/acme/autosd"))
		require.Len(t, stored.stored, 1)
		require.Len(t, counted.waiting, 1)

		require.NoError(t, store.Delete(s.entry))
		for _, handler := range handlers {
			handler.OnDelete(s.entry)
		}
		require.NoError(t, s.ObserveDeletion(t.Context(), nameOf(s.entry)))
	}
	assert.Zero(t, s.evidences.kept.Len())
	assert.Zero(t, s.evidences.bytes)
	assert.Empty(t, stored.stored)
	assert.Empty(t, s.journal.pages)

	counted.take(counted.term, []tally.Tally{{Replica: "query-0"}}, true) // which shows them no more
	assert.Empty(t, counted.waiting)
	assert.Empty(t, counted.counted["query-0"])

	assert.Len(t, gone.last, 1000, "their claims are free")
	s.at = s.at.Add(claim.Grace + 1)
	assert.Empty(t, gone.uid(it))
	assert.Empty(t, gone.last)
	assert.Empty(t, gone.queue)
}
