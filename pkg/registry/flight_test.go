package registry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func same(err error) error { return err }

func TestLookUpsThatAreAlikeAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[string, int]
		calls, answer := 0, make(chan int)
		results := make(chan int, 100)
		for range cap(results) {
			go func() {
				value, err := f.join(t.Context(), "a", same, func(context.Context) (int, error) {
					calls++
					return <-answer, nil
				})
				assert.NoError(t, err)
				results <- value
			}()
		}
		synctest.Wait()
		answer <- 7
		for range cap(results) {
			assert.Equal(t, 7, <-results)
		}
		assert.Equal(t, 1, calls)
		assert.Empty(t, f.under, "nothing is kept of what is over")
	})
}

func TestWhatIsOverIsAskedAgain(t *testing.T) {
	var f flights[string, int]
	calls := 0
	for range 3 {
		_, err := f.join(t.Context(), "a", same, func(context.Context) (int, error) {
			calls++
			return 0, errors.New("down")
		})
		require.EqualError(t, err, "down")
	}
	assert.Equal(t, 3, calls)
}

// The first caller's leaving is no reason to fail the others; nobody's waiting is one to end the call.
func TestLeavingALookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[string, int]
		ended := false
		wait := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			ended = true
			return 0, ctx.Err()
		}
		first, leaveFirst := context.WithCancel(t.Context())
		second, leaveSecond := context.WithCancel(t.Context())
		left := make(chan error, 2)
		for _, ctx := range []context.Context{first, second} {
			go func() {
				_, err := f.join(ctx, "a", same, wait)
				left <- err
			}()
			synctest.Wait()
		}
		leaveFirst()
		require.ErrorIs(t, <-left, context.Canceled)
		synctest.Wait()
		assert.False(t, ended)
		leaveSecond()
		require.ErrorIs(t, <-left, context.Canceled)
		synctest.Wait()
		assert.True(t, ended)
	})
}
