package registry_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

const here = "127.0.0.1: {plainHTTP: true, privateAddresses: true}"

func TestAskingAtOnce(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	for title, test := range map[string]struct {
		faults   func(http.ResponseWriter, *http.Request) bool
		keychain authn.Keychain
		want     []string
	}{
		"everybody may ask":   {nil, nil, []string{"GET /v2/acme/os/manifests/1", "GET /v2/acme/os/blobs/"}},
		"who has credentials": {nil, password{}, []string{"GET /v2/", "GET /v2/acme/os/manifests/1", "GET /v2/acme/os/blobs/"}},
		"a token is wanted, and the answer says where it is": {
			(&tokens{realm: "http://" + s.host + "/token", named: true}).faults, nil,
			[]string{"GET /v2/acme/os/manifests/1", "GET /token", "GET /v2/acme/os/manifests/1", "GET /v2/acme/os/blobs/"},
		},
		"a token is wanted, and the answer does not say from where": {
			(&tokens{realm: "http://" + s.host + "/token"}).faults, nil,
			[]string{"GET /v2/acme/os/manifests/1", "GET /v2/", "GET /token", "GET /v2/acme/os/manifests/1", "GET /v2/acme/os/blobs/"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			client := registry.New(settings(here), registry.AskAtOnce())
			_, err := client.Describe(t.Context(), s.ref("acme/os:1"), test.keychain)
			require.NoError(t, err)
			assert.Equal(t, test.want, s.log())

			s.inject(test.faults)
			_, err = client.Describe(t.Context(), s.ref("acme/os:1"), test.keychain)
			require.NoError(t, err)
			assert.Equal(t, []string{"GET /v2/acme/os/manifests/1"}, s.log(), "the way in is known")
		})
	}
}

// What is not shown at once is asked for as ever: the answers of a registry say the same about the image.
func TestNoAnswerAtOnceIsBelievedButThatTheImageIsThere(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	hidden := func(code int) func(http.ResponseWriter, *http.Request) bool {
		want := &tokens{realm: "http://" + s.host + "/token"}
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v2/" && r.URL.Path != "/token" && r.Header.Get("Authorization") == "" {
				return status(code, "DENIED")(w, r)
			}
			return want.faults(w, r)
		}
	}
	for title, test := range map[string]struct {
		faults func(http.ResponseWriter, *http.Request) bool
		image  string
		reason registry.Reason
	}{
		"hidden by 404 from who has no token": {hidden(404), "acme/os:1", ""},
		"hidden by 403 from who has no token": {hidden(403), "acme/os:1", ""},
		"not there":                           {nil, "acme/os:2", registry.NotFound},
		"a gateway without a registry":        {status(404, ""), "acme/os:1", registry.RegistryUnavailable},
		"forbidden":                           {only(status(403, "X"), "manifests"), "acme/os:1", registry.Forbidden},
		"unauthorized":                        {status(401, "X"), "acme/os:1", registry.Unauthorized},
		"throttled":                           {only(status(429, "X"), "manifests"), "acme/os:1", registry.Throttled},
		"in trouble":                          {only(status(501, "X"), "manifests"), "acme/os:1", registry.RegistryUnavailable},
	} {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			_, err := registry.New(settings(here), registry.AskAtOnce()).Describe(t.Context(), s.ref(test.image), nil)
			assert.Equal(t, test.reason, registry.ReasonOf(err), "%v\n%s", err, s.log())
			s.inject(test.faults)
			_, asEver := registry.New(settings(here)).Describe(t.Context(), s.ref(test.image), nil)
			assert.Equal(t, test.reason, registry.ReasonOf(asEver))
		})
	}
}

// A way in that was open at once and is not any more is looked for anew.
func TestARegistryThatWantsTokensFromNowOn(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	client := registry.New(settings(here), registry.AskAtOnce())
	_, err := client.Outline(t.Context(), s.ref("acme/os:1"), nil)
	require.NoError(t, err)
	s.inject((&tokens{realm: "http://" + s.host + "/token"}).faults)
	_, err = client.Outline(t.Context(), s.ref("acme/os:1"), nil)
	require.NoError(t, err, s.log())
}

// Storage to which a registry redirects does not say how the registry wants to be authenticated to.
func TestAChallengeIsTheRegistrysOwn(t *testing.T) {
	s, elsewhere := newServer(t), newServer(t)
	elsewhere.inject(wantsTokensOf("http://" + elsewhere.host + "/token"))
	s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://"+elsewhere.host+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}, "manifests"))
	_, err := registry.New(settings(here), registry.AskAtOnce()).Describe(t.Context(), s.ref("acme/os:1"), nil)
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err))
	for _, request := range elsewhere.log() {
		assert.NotContains(t, request, "token")
	}
	assert.Contains(t, s.log(), "GET /v2/")
}

func TestOutline(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	s.pushIndex("acme/os:2", indexOfTwo(t, "two", "three"))
	client := newClient()
	for tag, requests := range map[string]int{"1": 1, "2": 3} {
		whole, err := newClient().Describe(t.Context(), s.ref("acme/os:"+tag), nil)
		require.NoError(t, err)
		_, err = client.Head(t.Context(), s.ref("acme/os:"+tag), nil) // which brings the ping
		require.NoError(t, err)
		for range 2 {
			s.inject(nil)
			outline, err := client.Outline(t.Context(), s.ref("acme/os:"+tag), nil)
			require.NoError(t, err)
			assert.Len(t, s.log(), requests, "an outline keeps nothing: %s", s.log())
			assert.NotContains(t, fmt.Sprint(s.log()), "blobs")
			assert.Equal(t, whole.Digest, outline.Digest)
			assert.Equal(t, whole.MediaType, outline.MediaType)
			assert.Equal(t, whole.SizeBytes, outline.SizeBytes)
			assert.Equal(t, whole.Blobs, outline.Blobs)
			assert.Empty(t, outline.Labels)
			assert.Empty(t, outline.Files, "a container image has none")
		}
		described, err := client.Describe(t.Context(), s.ref("acme/os:"+tag), nil)
		require.NoError(t, err)
		assert.Equal(t, whole, described, "an outline is not taken for more")
	}
}
