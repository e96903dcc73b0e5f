//go:build registries

package registries

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// look asks for the image with HEAD, and gives the requests that it took, at the registry and at its token server.
func (r *tokens) look(t *testing.T, client *registry.Client) (asked, issued []string, err error) {
	t.Helper()
	r.Forget()
	r.server.Forget()
	_, err = client.Head(patient(t), ref(t, r.Host, imageTag), r.keys)
	for _, request := range r.Log() {
		request.Fault = "" // the realm, always
		asked = append(asked, request.String())
	}
	return asked, r.server.Log().Lines(), err
}

const (
	pinged   = "GET /v2/ -> 401"
	answered = "HEAD /v2/acme/os/manifests/1 -> 200"
	refused  = "HEAD /v2/acme/os/manifests/1 -> 401"
	issued   = "GET /token?scope=repository%3Aacme%2Fos%3Apull&service=" + service + " -> 200"
)

func TestTokenThatExpires(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	client := r.client(t)
	r.issuer.lasting(15 * time.Second)
	asked, given, err := r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{pinged, answered}, asked)
	assert.Equal(t, []string{issued}, given)

	asked, given, err = r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{answered}, asked, "the token is kept")
	assert.Empty(t, given)

	time.Sleep(time.Until(r.issuer.ends()) + time.Second)
	asked, given, err = r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{refused, answered}, asked, "one 401 says that the token expired")
	assert.Equal(t, []string{issued}, given)
}

func TestTokenThatIsRefusedLater(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	client := r.client(t)
	_, _, err := r.look(t, client)
	require.NoError(t, err)

	revoked := faults.Status(http.StatusUnauthorized).At("HEAD ")
	r.inject(revoked.Times(1))
	asked, given, err := r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{refused, pinged, answered}, asked, "the session is opened anew")
	assert.Equal(t, []string{issued}, given)

	r.inject(revoked)
	asked, _, err = r.look(t, client)
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err), err)
	assert.Equal(t, []string{refused, pinged, refused}, asked, "and no more than once")
}

// A registry that was open to everybody begins to want passwords, and then tokens.
func TestAuthenticationThatChanges(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	client := r.client(t)
	r.Move(open.handler)
	asked, given, err := r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{"GET /v2/ -> 200", answered}, asked)
	assert.Empty(t, given)

	r.Move(guarded.handler)
	asked, given, err = r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{refused, pinged, answered}, asked)
	assert.Equal(t, []string{issued}, given)

	r.Move(open.handler)
	asked, given, err = r.look(t, client)
	require.NoError(t, err)
	assert.Equal(t, []string{answered}, asked)
	assert.Empty(t, given)
}

// expired is a registry whose token has run out since the client's last look-up.
func expired(t *testing.T) (*tokens, *registry.Client) {
	t.Helper()
	r := newTokens(t)
	client := r.client(t)
	r.issuer.lasting(2 * time.Second)
	_, _, err := r.look(t, client)
	require.NoError(t, err)
	time.Sleep(time.Until(r.issuer.ends()) + time.Second)
	r.issuer.lasting(time.Hour)
	return r, client
}

// What a token server answers when a token is to be renewed says nothing about the image.
func TestTokenServerInTrouble(t *testing.T) {
	t.Parallel()
	for status, reason := range map[int]registry.Reason{
		http.StatusNotFound:           registry.RegistryUnavailable,
		http.StatusUnauthorized:       registry.Unauthorized,
		http.StatusForbidden:          registry.Forbidden,
		http.StatusTooManyRequests:    registry.Throttled,
		http.StatusServiceUnavailable: registry.RegistryUnavailable,
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			r, client := expired(t)
			r.server.Inject(faults.Status(status))
			asked, given, err := r.look(t, client)
			assert.Equal(t, reason, registry.ReasonOf(err), "%v\n%s\n%s", err, asked, given)
			assert.False(t, registry.ReasonOf(err).Definite(), "%v\n%s\n%s", err, asked, given)
		})
	}
}

// A registry names another token server than before, and the old one is away: the session is opened anew, by the new one.
func TestTokenServerThatMoves(t *testing.T) {
	t.Parallel()
	for title, leave := range map[string]func(old *faults.Proxy){
		"without a trace": func(old *faults.Proxy) { old.Close() },
		"with a 404":      func(old *faults.Proxy) { old.Inject(faults.Status(http.StatusNotFound)) },
		"with a 503":      func(old *faults.Proxy) { old.Inject(faults.Status(http.StatusServiceUnavailable)) },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r, client := expired(t)
			leave(r.server)
			r.server = r.next
			r.inject()
			asked, given, err := r.look(t, client)
			require.NoError(t, err, "%s\n%s", asked, given)
			assert.Equal(t, []string{issued}, given)
		})
	}
}

// A registry that names a token server which nobody may send a password to is asked again: it may have been mended.
func TestTokenServerThatIsMended(t *testing.T) {
	t.Parallel()
	r := newTokens(t)
	client := r.client(t)
	r.Inject(faults.Realm("http://localhost:1/token")) // which its entry does not list
	_, _, err := r.look(t, client)
	require.Equal(t, registry.Blocked, registry.ReasonOf(err), err)
	r.inject()
	asked, given, err := r.look(t, client)
	require.NoError(t, err, "%s\n%s", asked, given)
}

// What a token server sends may be secrets, so no message quotes it.
func TestTokenServerThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	secret := newSecret()
	for title, answer := range map[string]string{
		"no token":   `{"refresh_token":"` + secret + `"}`,
		"no JSON":    secret,
		"wrong type": `{"token":["` + secret + `"]}`,
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r, client := expired(t)
			r.server.Inject(faults.Replaced(answer))
			for title, asker := range map[string]*registry.Client{"at a renewal": client, "at first": r.client(t)} {
				_, _, err := r.look(t, asker)
				assert.Equal(t, registry.RegistryUnavailable, registry.ReasonOf(err), "%s: %v", title, err)
				assert.NotContains(t, err.Error(), secret, title)
			}
		})
	}
}
