package access

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
)

func TestATokenIsReviewedOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		reviewer := reviewerOf(server, false)
		assert.Equal(t, "ann", known(t, reviewer, server, "ann").Name())
		time.Sleep(TTL - time.Millisecond)
		_, err := reviewer.Authenticate(t.Context(), "ann-token")
		require.NoError(t, err)
		assert.Equal(t, []string{"token ann-token"}, server.questions())

		server.change(func() { clear(server.users) })
		time.Sleep(2 * time.Millisecond)
		for range 2 {
			_, err = reviewer.Authenticate(t.Context(), "ann-token")
			var refusal *Unauthenticated
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, "token is unknown", refusal.Reason)
		}
		assert.Equal(t, []string{"token ann-token"}, server.questions(), "a bad token is remembered, too")
	})
}

// An answer is as old as its question: what happens to a right while the answer is under way is not seen by it.
func TestTheTimeAnAnswerTakesCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		server.takes = 4 * time.Second
		reviewer := reviewerOf(server, false)
		known(t, reviewer, server, "ann")
		time.Sleep(TTL - 3*time.Second)
		known(t, reviewer, server, "ann")
		assert.Len(t, server.questions(), 2)
	})
}

func TestManyWhoAskAtOnceCostOneReview(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		server.takes = time.Second
		server.users["t"] = authenticationv1.UserInfo{Username: "ann"}
		server.rights["ann get  "] = true
		reviewer := reviewerOf(server, false)
		left, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		enter := func(ctx context.Context) error {
			caller, err := reviewer.Authenticate(ctx, "t")
			if err != nil {
				return err
			}
			verdict, err := caller.May(ctx, "get", "a", "one")
			assert.True(t, verdict.Allowed)
			return err
		}
		for range 50 {
			group.Go(func() { assert.ErrorIs(t, enter(left), context.Canceled) })
			group.Go(func() { assert.NoError(t, enter(t.Context())) })
		}
		time.Sleep(time.Millisecond)
		leave() // the one who began may be among them
		group.Wait()
		assert.Equal(t, []string{"token t", "ann get  "}, server.questions())
	})
}

func TestSoManyReviewsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		server.takes = 10 * time.Millisecond
		reviewer := reviewerOf(server, false)
		caller := known(t, reviewer, server, "ann")
		var group sync.WaitGroup
		for n := range 500 {
			group.Go(func() {
				_, err := caller.May(t.Context(), "get", string(rune('a'+n)), "")
				assert.NoError(t, err)
			})
		}
		group.Wait()
		assert.Equal(t, atATime, server.mostBusy)
	})
}

func TestAnAPIServerThatIsAwaySaysNeitherYesNorNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		reviewer := reviewerOf(server, false)
		caller := known(t, reviewer, server, "ann")
		server.rights["ann list  "] = true
		server.change(func() { server.down = true })
		_, err := reviewer.Authenticate(t.Context(), "another")
		require.ErrorIs(t, err, errDown)
		var refusal *Unauthenticated
		assert.NotErrorAs(t, err, &refusal)
		_, err = caller.May(t.Context(), "get", "a", "one")
		require.ErrorIs(t, err, errDown)
		_, err = caller.Scope(t.Context(), "list", []string{"a"})
		require.ErrorIs(t, err, errDown)
		_, err = reviewer.Authenticate(t.Context(), "ann-token")
		require.NoError(t, err, "who is known stays known for a while")

		server.change(func() { server.down = false })
		scope, err := caller.Scope(t.Context(), "list", []string{"a"})
		require.NoError(t, err, "a failure is not remembered")
		assert.True(t, scope.All)
	})
}

func TestAReviewThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reviewer := reviewerOf(newAPIServer(), false)
		for range atATime {
			reviewer.tokenTurns <- struct{}{}
		}
		began := time.Now()
		_, err := reviewer.Authenticate(t.Context(), "any")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, patience, time.Since(began))
	})
}

func TestWithoutAToken(t *testing.T) {
	server := newAPIServer()
	_, err := reviewerOf(server, false).Authenticate(t.Context(), "")
	assert.Equal(t, &Unauthenticated{}, err)
	caller, err := reviewerOf(server, true).Authenticate(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, "system:anonymous", caller.Name())
	server.rights["system:unauthenticated get a "] = true
	verdict, err := caller.May(t.Context(), "get", "a", "one")
	require.NoError(t, err)
	assert.True(t, verdict.Allowed)
	assert.Equal(t, []string{"system:anonymous get  ", "system:anonymous get a "}, server.questions())
}

func TestTheWidestRightIsAskedForFirst(t *testing.T) {
	server := newAPIServer()
	reviewer := reviewerOf(server, false)
	caller := known(t, reviewer, server, "ann")
	server.rights["ann get a "], server.rights["ann get b one"] = true, true
	server.questions()
	for _, tc := range []struct {
		namespace, name string
		allowed         bool
		asked           []string
	}{
		{"a", "one", true, []string{"ann get  ", "ann get a "}},
		{"a", "two", true, nil},
		{"b", "one", true, []string{"ann get b ", "ann get b one"}},
		{"b", "two", false, []string{"ann get b two"}},
		{"b", "two", false, nil},
		{"", "", false, nil},
	} {
		verdict, err := caller.May(t.Context(), "get", tc.namespace, tc.name)
		require.NoError(t, err)
		assert.Equal(t, tc.allowed, verdict.Allowed, "%s/%s", tc.namespace, tc.name)
		assert.Equal(t, tc.asked, server.questions(), "%s/%s", tc.namespace, tc.name)
	}
}

func TestAUserOfOtherGroupsIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		reviewer := reviewerOf(server, false)
		server.rights["viewers get  "] = true
		may := func(caller *Caller) bool {
			verdict, err := caller.May(t.Context(), "get", "a", "one")
			require.NoError(t, err)
			return verdict.Allowed
		}
		assert.True(t, may(known(t, reviewer, server, "ann", "viewers")))
		time.Sleep(TTL - time.Second)
		assert.True(t, may(known(t, reviewer, server, "ann", "viewers")))
		server.change(func() { server.users["ann-token"] = authenticationv1.UserInfo{Username: "ann"} })
		time.Sleep(2 * time.Second)
		caller, err := reviewer.Authenticate(t.Context(), "ann-token")
		require.NoError(t, err)
		assert.False(t, may(caller), "what the group could do ends with the token's answer")
	})
}

func TestCallersAreToldApart(t *testing.T) {
	ids := map[[32]byte]bool{}
	users := []authenticationv1.UserInfo{
		{Username: "a"},
		{Username: "a", UID: "1"},
		{Username: "a", Groups: []string{"b", "c"}},
		{Username: "a", Groups: []string{"b c"}},
		{Username: "a", Groups: []string{`b" "c`}},
		{Username: "a", Extra: map[string]authenticationv1.ExtraValue{"k": {"b", "c"}}},
		{Username: "a", Extra: map[string]authenticationv1.ExtraValue{"k": {"b c"}}},
		{Username: "a", Extra: map[string]authenticationv1.ExtraValue{"k": {"b"}, "l": {"c"}}},
	}
	for range 2 {
		for _, user := range users {
			ids[newCaller(nil, user).id] = true
		}
	}
	assert.Len(t, ids, len(users))
}
