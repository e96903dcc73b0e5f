package index

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func TestAccessesAreOfAnEntryAndEndWithIt(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "one", 1, imagetest.UID("1")), imagetest.Image("a", "two", 2, imagetest.UID("2")))
	assert.Empty(t, c.Latest().Accesses())
	before := c.Latest().Get("a", "one")
	before.Access()
	c.store(imagetest.Image("a", "one", 1, imagetest.UID("1"), imagetest.Channel("prod")))
	before.Access() // by a request that found it before it changed
	c.Latest().Get("a", "one").Access()
	assert.Equal(t, map[types.UID]int64{"1": 3}, c.Latest().Accesses())

	require.NoError(t, c.Replace([]any{c.next(imagetest.Image("a", "one", 1, imagetest.UID("1"))), c.next(imagetest.Image("a", "two", 2, imagetest.UID("2")))}, "200"))
	assert.Equal(t, map[types.UID]int64{"1": 3}, c.Latest().Accesses(), "a watch began anew")

	c.store(imagetest.Image("a", "one", 1, imagetest.UID("3"))) // deleted and made again, seen late
	c.Latest().Get("a", "one").Access()
	assert.Equal(t, map[types.UID]int64{"3": 1}, c.Latest().Accesses())
	c.delete("a", "one")
	assert.Empty(t, c.Latest().Accesses())
}

func TestNoAccessIsLostWhileAnEntryChanges(t *testing.T) {
	const readers, each = 4, 1000
	c := newCatalog(t, imagetest.Image("a", "one", 1, imagetest.UID("1")))
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() {
			for range each {
				c.Latest().Get("a", "one").Access()
			}
		})
	}
	for range 100 {
		c.store(imagetest.Image("a", "one", 1, imagetest.UID("1")))
	}
	reading.Wait()
	assert.Equal(t, map[types.UID]int64{"1": readers * each}, c.Latest().Accesses())
}
