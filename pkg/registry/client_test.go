package registry_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

func indexOfTwo(t *testing.T, contents ...string) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, content := range contents {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: newImage(t, content)})
	}
	return index
}

func TestWhatIsSharedByLookUps(t *testing.T) {
	s := newServer(t)
	s.pushIndex("acme/os:1", indexOfTwo(t, "one", "two"))
	s.pushIndex("acme/os:2", indexOfTwo(t, "two", "three"))
	s.pushIndex("acme/tools:1", indexOfTwo(t, "one", "two"))
	client := newClient()
	for _, test := range []struct {
		says     string
		ref      string
		keychain authn.Keychain
		requests int
	}{
		{"2+2p at first", "acme/os:1", nil, 6},
		{"then no ping, and the platforms are known by their digests", "acme/os:1", nil, 1},
		{"those that another index has too", "acme/os:2", nil, 3},
		{"not those of another repository: who may read one may not read all", "acme/tools:1", nil, 5},
		{"nor those that another account found", "acme/os:1", password{}, 5},
	} {
		s.inject(nil)
		_, err := client.Describe(t.Context(), s.ref(test.ref), test.keychain)
		require.NoError(t, err)
		assert.Len(t, s.log(), test.requests, test.says)
	}
	s.inject(nil)
	_, err := client.Head(t.Context(), s.ref("acme/os:1"), nil)
	require.NoError(t, err)
	assert.Len(t, s.log(), 1, "an unchanged re-check is one HEAD")
}

// What is kept is bounded in bytes: who pushes labels by the megabyte has them read again.
func TestALargeImageIsNotKept(t *testing.T) {
	s, client := newServer(t), newClient()
	for bytes, again := range map[int]int{1 << 10: 1, 64 << 10: 2} {
		labels := make([]string, 64)
		for n := range labels {
			labels[n] = fmt.Sprintf(`"%d":%q`, n, strings.Repeat("v", bytes/len(labels)))
		}
		config := written(`{"config":{"Labels":{` + strings.Join(labels, ",") + `}}}`)
		image := hold(imageOf(config, ""), config)
		s.inject(image)
		_, err := client.Describe(t.Context(), s.ref("acme/os:1"), nil)
		require.NoError(t, err)
		s.inject(image)
		_, err = client.Describe(t.Context(), s.ref("acme/os:1"), nil)
		require.NoError(t, err)
		assert.Len(t, s.log(), again, "of labels of %d bytes", bytes)
	}
}

func TestLookUpsAtTheSameTimeAreOne(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	release := make(chan struct{})
	s.inject(only(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	}, "manifests"))
	client := newClient()
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			_, err := client.Describe(t.Context(), s.ref("acme/os:1"), nil)
			assert.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return len(s.log()) == 2 }, 10*time.Second, time.Millisecond)
	time.Sleep(50 * time.Millisecond) // for the rest to come, too
	close(release)
	group.Wait()
	assert.LessOrEqual(t, len(s.log()), 5, "3 requests, and the last of the 50 may come when the first have gone")
}

// References may name any number of hosts, and hosts are forgotten with their connections.
func TestHostsWithoutEndAreNotKept(t *testing.T) {
	const most = 4096
	var open atomic.Int64
	backend := httptest.NewUnstartedServer(http.NotFoundHandler())
	backend.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	backend.Start()
	t.Cleanup(backend.Close)
	client := newClient()
	ask := func(host string) {
		ref, err := name.ParseReference(host + "/acme/os:1")
		require.NoError(t, err)
		_, err = client.Head(t.Context(), ref, nil)
		require.Error(t, err)
	}
	ask(strings.TrimPrefix(backend.URL, "http://"))
	require.EqualValues(t, 1, open.Load())
	for n := range most {
		ask(fmt.Sprintf("127.0.0.2:%d", n+1)) // nothing is sent: it is not configured
	}
	assert.Len(t, client.States(), most)
	assert.Eventually(t, func() bool { return open.Load() == 0 }, 10*time.Second, time.Millisecond)
}

func TestABusyRegistry(t *testing.T) {
	s := newServer(t)
	for n := range 3 {
		s.push(fmt.Sprintf("acme/os:%d", n), newImage(t, "one"))
	}
	release := make(chan struct{})
	s.inject(only(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	}, "manifests"))
	hosts := settings("127.0.0.1: {plainHTTP: true, privateAddresses: true, maxConcurrent: 1}")
	refusing, waiting := registry.New(hosts, registry.RefuseWhenBusy()), registry.New(hosts)
	var group sync.WaitGroup
	for _, client := range []*registry.Client{refusing, waiting} {
		group.Go(func() {
			_, err := client.Head(t.Context(), s.ref("acme/os:0"), nil)
			assert.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return len(s.log()) == 4 }, 10*time.Second, time.Millisecond)

	_, err := refusing.Head(t.Context(), s.ref("acme/os:1"), nil)
	assert.Equal(t, registry.Busy, registry.ReasonOf(err))
	var busy *registry.Error
	require.ErrorAs(t, err, &busy)
	assert.Positive(t, busy.RetryAfter)
	assert.EqualError(t, err, fmt.Sprintf("%[1]s was not yet asked about %[1]s/acme/os:1 (1 look-ups are under way): there is nothing to do: it will be", s.host))
	group.Go(func() {
		_, err := waiting.Head(t.Context(), s.ref("acme/os:2"), nil)
		assert.NoError(t, err, "it waits for its turn")
	})
	close(release)
	group.Wait()
}

// Callers who do not wait for a turn do not wait for somebody else's look-up either, beyond what the gate lets.
func TestCallersOfOneLookUpAreBounded(t *testing.T) {
	s := newServer(t)
	release := make(chan struct{})
	s.inject(only(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	}, "manifests"))
	client := registry.New(settings("127.0.0.1: {plainHTTP: true, privateAddresses: true, maxConcurrent: 3}"), registry.RefuseWhenBusy())
	refused, rest := make(chan error, 20), sync.WaitGroup{}
	for range cap(refused) {
		rest.Go(func() {
			_, err := client.Head(context.Background(), s.ref("acme/os:1"), nil)
			refused <- err
		})
	}
	for range cap(refused) - 3 {
		assert.Equal(t, registry.Busy, registry.ReasonOf(<-refused))
	}
	assert.Eventually(t, func() bool { return len(s.log()) == 2 }, 10*time.Second, time.Millisecond, "a ping, and for the three one HEAD")
	close(release)
	rest.Wait()
	assert.LessOrEqual(t, len(s.log()), 5, "a GET more, as there is none; and one HEAD and GET if one of the three came late")
}

func TestSettingsTakeEffectAtOnce(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	client := registry.New(nil)
	for _, test := range []struct {
		data   map[string]string
		reason registry.Reason
		says   string
	}{
		{nil, registry.Blocked, "127.0.0.1, which is not public and not configured): have privateAddresses set for %h in config-registries, or use another registry"},
		{map[string]string{"hosts": "127.0.0.1: {privateAddresses: true}"}, registry.Blocked, "(it speaks plain HTTP, which is not configured): have plainHTTP set for %h in config-registries, or use another registry"},
		{map[string]string{"hosts": "127.0.0.1: {privateAddresses: true, plainHTTP: true}"}, "", ""},
		{map[string]string{"hosts": "127.0.0.1: {privateAddresses: true, plainHTTP: true}", "allowed": "quay.io/**"}, registry.Blocked, "(no pattern of allowed matches it): use an allowed repository, or have this one entered under allowed in config-registries"},
		{map[string]string{"hosts": "127.0.0.1: {privateAddresses: true, plainHTTP: true}", "allowed": s.host + "/acme/*"}, "", ""},
		{map[string]string{"hosts": `"*": {privateAddresses: true}`}, registry.Blocked, "not public and not configured): have privateAddresses set for %h in"},
	} {
		parsed, err := registry.ParseSettings(test.data)
		require.NoError(t, err)
		client.Configure(parsed)
		s.inject(nil)
		_, err = client.Head(t.Context(), s.ref("acme/os:1"), nil)
		assert.Equal(t, test.reason, registry.ReasonOf(err), test.data)
		if err != nil {
			assert.ErrorContains(t, err, strings.ReplaceAll(test.says, "%h", s.host))
			assert.Empty(t, s.log(), "nothing is sent")
		}
	}
}

// A host that speaks HTTP answers, and is not taken for one that is away.
func TestAHostThatSpeaksHTTPIsBlockedHoweverOftenItIsAsked(t *testing.T) {
	s := newServer(t)
	client := registry.New(settings("127.0.0.1: {privateAddresses: true}"))
	for range 10 {
		_, err := client.Head(t.Context(), s.ref("acme/os:1"), nil)
		require.Equal(t, registry.Blocked, registry.ReasonOf(err), "%v", err)
	}
}

// What to do about a host that a registry names is not said as of one that a user names.
func TestWhatIsSaidOfAHostThatARegistryLeadsTo(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	for location, says := range map[string]string{
		"https://169.254.169.254/": "have privateAddresses set for 169.254.169.254, if %h may lead there, in config-registries, or use another registry",
		"https://localhost:1/":     "(dial tcp 127.0.0.1:1: localhost:1 has the address 127.0.0.1, which is not public and not configured): have privateAddresses set for localhost:1, if",
		"http://registry.example/": "(plain HTTP to registry.example is not configured): have plainHTTP set for registry.example, if",
	} {
		s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, location, http.StatusTemporaryRedirect)
			return true
		}, "blobs"))
		_, err := newClient().Describe(t.Context(), s.ref("acme/os:1"), nil)
		assert.Equal(t, registry.Blocked, registry.ReasonOf(err))
		assert.ErrorContains(t, err, strings.ReplaceAll(says, "%h", s.host))
	}
}

// What "*" opens is for hosts that users name, not for those that a registry leads to.
func TestPrivateAddressesOfAllAreNotForThoseThatARegistryLeadsTo(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "https://10.0.0.1/", http.StatusTemporaryRedirect)
		return true
	}, "blobs"))
	client := registry.New(settings("127.0.0.1: {plainHTTP: true, privateAddresses: true}\n\"*\": {privateAddresses: true}"))
	_, err := client.Describe(t.Context(), s.ref("acme/os:1"), nil)
	assert.Equal(t, registry.Blocked, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "10.0.0.1, which is not public and not configured")
}

// A gateway says 404 of everything while its registry is away, which deletes no image.
func TestAGatewayWithoutARegistry(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	client := newClient()
	_, err := client.Head(t.Context(), s.ref("acme/os:1"), nil)
	require.NoError(t, err)

	s.inject(status(404, ""))
	for range 2 {
		_, err = client.Head(t.Context(), s.ref("acme/os:1"), nil)
		assert.Equal(t, registry.RegistryUnavailable, registry.ReasonOf(err))
		assert.ErrorContains(t, err, "as if it were no registry")
		_, err = client.Describe(t.Context(), s.ref("acme/os:1"), nil)
		assert.Equal(t, registry.RegistryUnavailable, registry.ReasonOf(err))
	}
	s.inject(nil)
	_, err = client.Head(t.Context(), s.ref("acme/os:1"), nil)
	require.NoError(t, err, "it is back")
	s.inject(nil)
	_, err = client.Head(t.Context(), s.ref("acme/os:2"), nil)
	assert.Equal(t, registry.NotFound, registry.ReasonOf(err), "and what it has not is not there")
	assert.Len(t, s.log(), 3, "HEAD, a ping, and GET")
}

// Replicas that share the entries share the limits, too.
func TestAShareOfTheLimits(t *testing.T) {
	s := newServer(t)
	release := make(chan struct{})
	s.inject(only(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	}, "manifests"))
	client := registry.New(settings("127.0.0.1: {plainHTTP: true, privateAddresses: true, maxConcurrent: 4}"), registry.RefuseWhenBusy())
	client.Share(0.5)
	var group sync.WaitGroup
	for n := range 2 {
		group.Go(func() {
			_, err := client.Head(context.Background(), s.ref(fmt.Sprintf("acme/os:%d", n)), nil)
			assert.Equal(t, registry.NotFound, registry.ReasonOf(err))
		})
	}
	require.Eventually(t, func() bool { return len(client.States()) == 1 && client.States()[0].UnderWay == 2 }, 10*time.Second, time.Millisecond)
	_, err := client.Head(t.Context(), s.ref("acme/os:2"), nil)
	assert.Equal(t, registry.Busy, registry.ReasonOf(err))
	close(release)
	group.Wait()
}

// The ping takes the one request of its time, and a second would be due long after a look-up ends. A share of the rate is
// smaller by as much.
func TestARateIsKeptTo(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	for _, test := range []struct {
		rate, share float64
		asked       int
	}{{0.001, 1, 1}, {2, 1, 2}, {2, 0.0005, 1}} {
		s.inject(nil)
		client := registry.New(settings(fmt.Sprintf("127.0.0.1: {plainHTTP: true, privateAddresses: true, requestsPerSecond: %v}", test.rate)))
		client.Share(test.share)
		_, err := client.Head(t.Context(), s.ref("acme/os:1"), nil)
		assert.Len(t, s.log(), test.asked, "%v by %v", test.rate, test.share)
		if test.asked > 1 {
			assert.NoError(t, err)
			continue
		}
		assert.Equal(t, registry.Busy, registry.ReasonOf(err), err)
	}
}

// A host that is asked about as much as it may be keeps those waiting who would ask it, and nobody else.
func TestTurns(t *testing.T) {
	const hosts = "127.0.0.1: {plainHTTP: true, privateAddresses: true, maxConcurrent: 1}"
	s := newServer(t)
	release := make(chan struct{})
	s.inject(only(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return false
	}, "manifests"))
	client := registry.New(settings(hosts), registry.RefuseWhenBusy())
	repository := s.ref("acme/os:1").Context()
	assert.Zero(t, client.Turn(repository))
	var group sync.WaitGroup
	group.Go(func() { _, _ = client.Head(context.Background(), s.ref("acme/os:1"), nil) })
	require.Eventually(t, func() bool { return client.Turn(repository) > 0 }, 10*time.Second, time.Millisecond)

	others, err := registry.ParseSettings(map[string]string{"hosts": hosts, "allowed": "quay.io/**"})
	require.NoError(t, err)
	client.Configure(others)
	assert.Zero(t, client.Turn(repository), "the host will not be asked about what is not allowed")
	close(release)
	group.Wait()
}

// tokens is a token server, on the host of the registry, and a registry that believes in the latest token only.
type tokens struct {
	realm  string
	issued atomic.Int64
	named  bool // the challenge of a refused request says where to get a token
}

func (s *tokens) faults(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/token" {
		_, _ = fmt.Fprintf(w, `{"access_token": "token-%d"}`, s.issued.Add(1))
		return true
	}
	if r.Header.Get("Authorization") == fmt.Sprintf("Bearer token-%d", s.issued.Load()) {
		return false
	}
	if s.named || r.URL.Path == "/v2/" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="test",scope="repository:acme/os:pull"`, s.realm))
	}
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

func TestTokensAreRenewed(t *testing.T) {
	for _, named := range []bool{true, false} {
		s := newServer(t)
		s.push("acme/os:1", newImage(t, "one"))
		server := &tokens{realm: "http://" + s.host + "/token", named: named}
		client := newClient()
		s.inject(server.faults)
		_, err := client.Head(t.Context(), s.ref("acme/os:1"), password{})
		require.NoError(t, err)
		assert.Equal(t, []string{"GET /v2/", "GET /token", "HEAD /v2/acme/os/manifests/1"}, s.log())

		s.inject(server.faults)
		_, err = client.Head(t.Context(), s.ref("acme/os:1"), password{})
		require.NoError(t, err)
		assert.Len(t, s.log(), 1, "a token is used again")

		server.issued.Add(1) // and is worth nothing any more
		_, err = client.Head(t.Context(), s.ref("acme/os:1"), password{})
		require.NoError(t, err, "with a challenge: %v", named)
	}
}

// forward answers in the place of a registry that wants tokens of a server elsewhere.
func wantsTokensOf(realm string) faults {
	return only(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q", realm))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}, "/v2/")
}

func TestCredentialsGoToNoForeignTokenServer(t *testing.T) {
	s, foreign := newServer(t), newServer(t)
	_, port, _ := strings.Cut(foreign.host, ":")
	elsewhere := "localhost:" + port
	foreign.inject(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, `{"token": "any"}`)
		return true
	})
	s.inject(wantsTokensOf("http://" + elsewhere + "/token"))
	hosts := "127.0.0.1: {plainHTTP: true, privateAddresses: true%s}\nlocalhost: {plainHTTP: true, privateAddresses: true}"

	_, err := registry.New(settings(fmt.Sprintf(hosts, ""))).Head(t.Context(), s.ref("acme/os:1"), password{})
	assert.Equal(t, registry.Blocked, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "(it wants the credentials sent to "+elsewhere+", which is not listed in its tokenServers): have "+elsewhere+
		", if it is known, entered under tokenServers of "+s.host+" in config-registries, or use another registry")
	assert.Empty(t, foreign.log())

	_, err = registry.New(settings(fmt.Sprintf(hosts, ", tokenServers: ['"+elsewhere+"']"))).Head(t.Context(), s.ref("acme/os:1"), password{})
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err), "which is what this registry says to every token")
	assert.NotEmpty(t, foreign.log())
}

type refreshToken struct{}

func (refreshToken) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{IdentityToken: "refresh"}), nil
}

// A refresh token is in the body of a request, which a redirect with 307 repeats.
func TestARefreshTokenIsNotSentOn(t *testing.T) {
	s, foreign := newServer(t), newServer(t)
	_, port, _ := strings.Cut(foreign.host, ":")
	s.inject(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			http.Redirect(w, r, "http://localhost:"+port+"/token", http.StatusTemporaryRedirect)
			return true
		}
		return wantsTokensOf("http://"+s.host+"/token")(w, r)
	})
	foreign.inject(nil)
	client := registry.New(settings("127.0.0.1: {plainHTTP: true, privateAddresses: true}\nlocalhost: {plainHTTP: true, privateAddresses: true}"))
	_, err := client.Head(t.Context(), s.ref("acme/os:1"), refreshToken{})
	assert.Equal(t, registry.Blocked, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "): no setting allows that: have "+s.host+" mended, or use another registry")
	assert.Empty(t, foreign.log())
}

// Two who ask at the same time with the same password have one answer, and each reads of the secret that it named.
func TestSharedFailuresNameTheCallersOwnCredential(t *testing.T) {
	s := newServer(t)
	release := make(chan struct{})
	s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
		<-release
		return status(403, "X")(w, r)
	}, "manifests"))
	client := newClient()
	var group sync.WaitGroup
	for _, source := range []string{"the secret radar/quay", "the secret lidar/quay"} {
		ring := &registry.Keyring{}
		ring.Set(s.host, registry.NewCredential(source, "robot", "hunter2"))
		group.Go(func() {
			_, err := client.Head(context.Background(), s.ref("acme/os:1"), ring)
			assert.ErrorContains(t, err, source+" may not read")
		})
	}
	require.Eventually(t, func() bool { return len(s.log()) == 2 }, 10*time.Second, time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	close(release)
	group.Wait()
}

func TestTheCredentialIsNamed(t *testing.T) {
	s := newServer(t)
	ring := &registry.Keyring{}
	ring.Set(s.host, registry.NewCredential("the secret radar/quay", "robot", "hunter2"))
	for code, want := range map[int]string{
		401: `%[1]s does not accept the secret radar/quay for %[1]s/acme/os:1 (HTTP 401 Unauthorized, "X"): correct the user name and password there`,
		403: `the secret radar/quay may not read %[1]s/acme/os:1 on %[1]s (HTTP 403 Forbidden, "X"): grant pull access to the repository, or provide other credentials`,
	} {
		s.inject(only(status(code, "X"), "manifests"))
		_, err := newClient().Describe(context.Background(), s.ref("acme/os:1"), ring)
		assert.EqualError(t, err, fmt.Sprintf(want, s.host))
	}
}
