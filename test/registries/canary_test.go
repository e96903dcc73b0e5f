//go:build registries

package registries

import (
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// What TestMain checks in the end, for all requests of all tests, is provoked here: registries and token servers that
// would have what opens them sent to another host. Each test shows that the other host was asked, or was about to be.

// lure is a host that others lead to. It gives what it has to everybody.
func lure(t *testing.T, secured bool) *front {
	t.Helper()
	return newFront(t, &backend{handler: open.handler, secured: secured})
}

// Blobs are at another host, as with stores of cloud providers. That host is asked without credentials.
func TestCredentialsStayOnRedirect(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"/blobs/", "/manifests/", ""} {
		t.Run("password"+at, func(t *testing.T) {
			t.Parallel()
			f, other := newFront(t, debian), lure(t, true)
			f.Inject(faults.Redirect(other.URL).At(at))
			_, err := f.client(t, other.entry).Describe(patient(t), ref(t, f.Host, imageTag), f.keys)
			require.NoError(t, err)
			assert.NotEmpty(t, other.Log(), "nothing led there: the test proves nothing")
		})
	}
	for _, at := range []string{"/blobs/", "/manifests/"} {
		t.Run("token"+at, func(t *testing.T) {
			t.Parallel()
			r, other := newTokens(t), lure(t, false)
			r.inject(faults.Redirect(other.URL).At(at))
			_, err := r.client(t).Describe(patient(t), ref(t, r.Host, imageTag), r.keys)
			require.NoError(t, err)
			assert.NotEmpty(t, other.Log(), "nothing led there: the test proves nothing")
		})
	}
}

// A registry sends its readers to its own token server, which may know the password but not the token.
func TestTokenStaysOnRedirectToTokenServer(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	r.inject(faults.Redirect(r.server.URL).At("/blobs/"))
	_, err := r.client(t).Describe(patient(t), ref(t, r.Host, imageTag), r.keys)
	require.Error(t, err)
	assert.NotEmpty(t, r.server.Log().At("/blobs/"), "nothing led there: the test proves nothing")
}

// The host to which a registry redirects wants to be authenticated to itself, in each way that there is.
func TestCredentialsStayOnChallengeAfterRedirect(t *testing.T) {
	t.Parallel()
	for title, challenge := range map[string]func(other *front) string{
		"basic":  func(*front) string { return `Basic realm="mine"` },
		"bearer": func(other *front) string { return `Bearer realm="` + other.URL + `/token",service="mine"` },
		"bearer at another name": func(other *front) string {
			return `Bearer realm="http://localhost` + other.Host[len("127.0.0.1"):] + `/token",service="mine"`
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r, other := newTokens(t), lure(t, false)
			r.inject(faults.Redirect(other.URL).At("/blobs/"))
			other.Inject(faults.Challenge(challenge(other)))
			_, err := r.client(t).Describe(patient(t), ref(t, r.Host, imageTag), r.keys)
			require.Error(t, err)
			assert.NotEmpty(t, other.Log(), "nothing led there: the test proves nothing")
		})
	}
}

// A registry names a token server that its entry does not list.
func TestPasswordStaysWhereTokenServerIsForeign(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	client := registry.New(settings(t, plain, localhost))
	for title, ask := range map[string]func(*registry.Client) error{
		"password":      func(c *registry.Client) error { _, _, err := r.look(t, c); return err },
		"refresh token": func(c *registry.Client) error { return r.lookByRefreshToken(t, c) },
	} {
		err := ask(client)
		assert.Equal(t, registry.Blocked, registry.ReasonOf(err), "%s: %v", title, err)
		assert.ErrorContains(t, err, "tokenServers", title)
		assert.Empty(t, r.server.Log(), "nothing is sent there")
	}
}

// lookByRefreshToken asks as one who has an identity token, which is exchanged by POST (distribution, "OAuth2 Token
// Authentication").
func (r *tokens) lookByRefreshToken(t *testing.T, client *registry.Client) error {
	t.Helper()
	config, err := json.Marshal(map[string]any{"auths": map[string]any{r.Host: map[string]string{"identitytoken": r.issuer.refresh}}})
	require.NoError(t, err)
	keys := &registry.Keyring{}
	require.NoError(t, keys.AddConfigJSON("the test's secret", config))
	_, err = client.Head(patient(t), ref(t, r.Host, imageTag), keys)
	return err
}

// A token server sends what it is asked on to another host: the GET with a password, and the POST with a refresh token in
// its body, which clients repeat after a 307.
func TestCredentialsStayWhereTokenServerRedirects(t *testing.T) {
	t.Parallel()
	r, other := newTokens(t), lure(t, false)
	require.NoError(t, r.lookByRefreshToken(t, r.client(t)))
	assert.True(t, ledger.Saw(r.server.Host, r.issuer.refresh), "the refresh token is what opens it")

	at := "http://localhost" + other.Host[len("127.0.0.1"):] // an address is refused as a realm already
	r.server.Inject(faults.Redirect(at))
	err := r.lookByRefreshToken(t, r.client(t))
	assert.Equal(t, registry.Blocked, registry.ReasonOf(err), err)
	assert.Empty(t, other.Log(), "nothing is sent there")

	_, _, err = r.look(t, r.client(t))
	require.Error(t, err)
	assert.NotEmpty(t, other.Log(), "nothing led there: the test proves nothing")
}

// The list of referrers goes on at another host.
func TestTokenStaysWhereNextPageIsElsewhere(t *testing.T) {
	t.Parallel()
	f, other := newFront(t, modern), lure(t, false)
	f.entrust("reader", newSecret())
	f.Inject(faults.Elsewhere(other.URL).At("/referrers/"))
	_, err := f.client(t).Referrers(patient(t), imageDigest(t, f.Host), f.keys)
	assert.Equal(t, registry.Blocked, registry.ReasonOf(err), err)
	assert.Empty(t, other.Log())
}

// Many hosts are asked by one client with one keyring, by each operation.
func TestEachHostHasItsOwnCredentials(t *testing.T) {
	t.Parallel()
	keys := &registry.Keyring{}
	var entries []string
	var hosts []*front
	for _, b := range []*backend{open, open, modern, debian, debian} {
		f := newFront(t, b)
		if !b.passwords {
			f.entrust("reader", newSecret())
		}
		hosts, entries = append(hosts, f), append(entries, f.entry)
	}
	for _, f := range hosts {
		keys.Set(f.Host, f.credential)
	}
	client := registry.New(settings(t, entries...))
	for _, f := range hosts {
		readAll(patient(t), t, client, f, keys)
		assert.True(t, ledger.Saw(f.Host, f.secret), "it was not asked with its credentials: the test proves nothing")
	}
}

// readAll does all that a client can.
func readAll(ctx context.Context, t *testing.T, client *registry.Client, f *front, keys *registry.Keyring) {
	t.Helper()
	_, err := client.Head(ctx, ref(t, f.Host, imageTag), keys)
	require.NoError(t, err)
	description, err := client.Describe(ctx, ref(t, f.Host, indexTag), keys)
	require.NoError(t, err)
	_, err = client.Referrers(ctx, imageDigest(t, f.Host), keys)
	require.NoError(t, err)
	blobs, err := client.Blobs(ctx, ref(t, f.Host, indexTag).Context(), keys)
	require.NoError(t, err)
	for _, blob := range description.Blobs {
		content, err := blobs.Open(ctx, blob)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
	}
}
