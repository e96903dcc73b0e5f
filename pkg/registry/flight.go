package registry

import (
	"context"
	"sync"
)

// flights make one call of calls for the same that are under way at the same time. A call goes on as long as anybody
// waits for it, so the first caller may leave; that is why golang.org/x/sync/singleflight does not do.
type flights[K comparable, V any] struct {
	mutex sync.Mutex
	under map[K]*flight[V]
}

type flight[V any] struct {
	done    chan struct{} // closed when value and err are there
	value   V
	err     error
	waiting int
	cancel  context.CancelFunc
}

// join gives the outcome of the call for the key, which it begins unless it is under way. Whoever leaves early gets what
// interrupted makes of it.
func (f *flights[K, V]) join(ctx context.Context, key K, interrupted func(error) error, do func(context.Context) (V, error)) (V, error) {
	joined := f.board(ctx, key, do)
	defer f.alight(key, joined)
	select {
	case <-joined.done:
		return joined.value, joined.err
	case <-ctx.Done():
		var none V
		return none, interrupted(ctx.Err())
	}
}

func (f *flights[K, V]) board(ctx context.Context, key K, do func(context.Context) (V, error)) *flight[V] {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if under := f.under[key]; under != nil {
		under.waiting++
		return under
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	begun := &flight[V]{done: make(chan struct{}), waiting: 1, cancel: cancel}
	if f.under == nil {
		f.under = map[K]*flight[V]{}
	}
	f.under[key] = begun
	go func() {
		defer cancel()
		begun.value, begun.err = do(ctx)
		f.forget(key, begun)
		close(begun.done)
	}()
	return begun
}

// alight ends a flight that nobody waits for any more.
func (f *flights[K, V]) alight(key K, left *flight[V]) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if left.waiting--; left.waiting == 0 {
		left.cancel()
		if f.under[key] == left {
			delete(f.under, key)
		}
	}
}

func (f *flights[K, V]) forget(key K, landed *flight[V]) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.under[key] == landed {
		delete(f.under, key)
	}
}
