package faults_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/test/faults"
)

// What a test binary relies on in the end: a secret is found wherever a request can carry it.
func TestLedger(t *testing.T) {
	const secret, other = "secret-of-one", "secret-of-another"
	for title, test := range map[string]struct {
		change func(*http.Request)
		leaks  bool
	}{
		"nothing":               {func(*http.Request) {}, false},
		"its own":               {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }, false},
		"another's token":       {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+other) }, true},
		"another's password":    {func(r *http.Request) { r.SetBasicAuth("reader", other) }, true},
		"in some other header":  {func(r *http.Request) { r.Header.Set("Cookie", "session="+other) }, true},
		"in the query":          {func(r *http.Request) { r.URL.RawQuery = "token=" + other }, true},
		"in the path":           {func(r *http.Request) { r.URL.Path = "/v2/" + other }, true},
		"in the referring page": {func(r *http.Request) { r.Header.Set("Referer", "http://"+other+"@registry.example") }, true},
	} {
		t.Run(title, func(t *testing.T) {
			ledger := &faults.Ledger{}
			proxy, err := faults.NewProxy(ledger, faults.Site{}, http.NotFoundHandler())
			require.NoError(t, err)
			defer proxy.Close()
			ledger.Entrust(secret, proxy.Host)
			ledger.Entrust(other, "registry.example")
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy.URL, http.NoBody)
			require.NoError(t, err)
			test.change(request)
			send(t, request)

			leaks, summary := ledger.Check()
			assert.Equal(t, test.leaks, len(leaks) == 1, "%s: %s", leaks, summary)
			assert.Equal(t, test.leaks, ledger.Saw(proxy.Host, other))
		})
	}
}

func TestLedgerReadsBodies(t *testing.T) {
	ledger := &faults.Ledger{}
	proxy, err := faults.NewProxy(ledger, faults.Site{}, http.NotFoundHandler())
	require.NoError(t, err)
	defer proxy.Close()
	ledger.Entrust("secret", "registry.example")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy.URL, strings.NewReader("grant_type=refresh_token&refresh_token=secret"))
	require.NoError(t, err)
	send(t, request)
	leaks, _ := ledger.Check()
	assert.Len(t, leaks, 1)
}

func send(t *testing.T, request *http.Request) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

func TestFaultsOfHosts(t *testing.T) {
	for title, unreachable := range map[string]func() (string, func(), error){"refused": faults.Refused, "deaf": faults.Deaf} {
		host, closed, err := unreachable()
		require.NoError(t, err, title)
		defer closed()
		assert.Contains(t, host, "127.0.0.1:", title)
	}
}

// A fault holds for what it is injected at, and for as many requests as it says.
func TestInject(t *testing.T) {
	proxy, err := faults.NewProxy(&faults.Ledger{}, faults.Site{}, http.NotFoundHandler())
	require.NoError(t, err)
	defer proxy.Close()
	proxy.Inject(faults.Status(http.StatusTeapot).At("GET ").At("/manifests/").Times(2), faults.Status(http.StatusForbidden).At("/blobs/"))
	for _, path := range []string{"/manifests/1", "/blobs/1", "/manifests/2", "/manifests/3", "/tags"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy.URL+path, http.NoBody)
		require.NoError(t, err)
		send(t, request)
	}
	assert.Equal(t, []string{"GET /manifests/1 -> 418 (418)", "GET /blobs/1 -> 403 (403)", "GET /manifests/2 -> 418 (418)", "GET /manifests/3 -> 404", "GET /tags -> 404"},
		proxy.Log().Lines())
	assert.Len(t, proxy.Log().At("/manifests/"), 3)
	proxy.Forget()
	assert.Empty(t, proxy.Log())
}
