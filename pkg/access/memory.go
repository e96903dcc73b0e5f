package access

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/util/cache"
)

// memory keeps answers of one kind, so many at most, each until its end. Looking for one that is not there is done once
// for all who look at the same time.
type memory[K comparable, V any] struct {
	answers *cache.LRUExpireCache
	flights singleflight.Group
}

func newMemory[K comparable, V any](most int) *memory[K, V] {
	return &memory[K, V]{answers: cache.NewLRUExpireCache(most)}
}

func (m *memory[K, V]) recall(key K) (value V, ok bool) {
	if found, kept := m.answers.Get(key); kept {
		value, ok = found.(V)
	}
	return value, ok
}

func (m *memory[K, V]) keep(key K, value V, until time.Time) {
	m.answers.Add(key, value, time.Until(until))
}

// find runs do once for all who wait for a flight of that name. It goes on when the one who began it has left: others
// may wait, and what it finds is kept.
func (m *memory[K, V]) find(ctx context.Context, flight string, do func(context.Context) (V, error)) (V, error) {
	var none V
	landed := m.flights.DoChan(flight, func() (any, error) { return do(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case result := <-landed:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(V), nil
	}
}
