package registry

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ringOf has a user named after each key.
func ringOf(t *testing.T, keys ...string) *Keyring {
	t.Helper()
	ring := &Keyring{}
	for _, key := range keys {
		config, err := json.Marshal(map[string]any{"auths": map[string]any{key: map[string]string{"username": key, "password": "secret"}}})
		require.NoError(t, err)
		require.NoError(t, ring.AddConfigJSON("the secret radar/"+key, config))
	}
	return ring
}

func userFor(t *testing.T, ring *Keyring, image string) string {
	t.Helper()
	repository, err := name.NewRepository(image)
	require.NoError(t, err)
	found, err := ring.Resolve(repository)
	require.NoError(t, err)
	config, err := found.Authorization()
	require.NoError(t, err)
	return config.Username
}

func TestWhichKeyOpensARepository(t *testing.T) {
	for _, test := range []struct {
		keys  []string
		image string
		want  string
	}{
		{[]string{"quay.io"}, "quay.io/acme/os", "quay.io"},
		{[]string{"quay.io"}, "quay.io.evil.example/acme/os", ""},
		{[]string{"quay.io"}, "evil.example/quay.io/os", ""},
		{[]string{"quay.io"}, "a.quay.io/acme/os", ""},
		{[]string{"quay.io"}, "quay.io:8443/acme/os", ""},
		{[]string{"quay.io:443", "other"}, "quay.io/acme/os", "quay.io:443"},
		{[]string{"quay.io:8443"}, "quay.io/acme/os", ""},
		{[]string{"QUAY.io"}, "quay.io/acme/os", "QUAY.io"},
		{[]string{"https://quay.io/"}, "quay.io/acme/os", "https://quay.io/"},
		{[]string{"https://quay.io/v2/"}, "quay.io/acme/os", "https://quay.io/v2/"},
		{[]string{"https://index.docker.io/v1/"}, "nginx", "https://index.docker.io/v1/"},
		{[]string{"docker.io"}, "nginx", "docker.io"},
		{[]string{"registry-1.docker.io"}, "acme/os", "registry-1.docker.io"},

		{[]string{"quay.io/team-a"}, "quay.io/team-a/os", "quay.io/team-a"},
		{[]string{"quay.io/team-a"}, "quay.io/team-abc/os", ""},
		{[]string{"quay.io/team-a/"}, "quay.io/team-a/os", "quay.io/team-a/"},
		{[]string{"quay.io/team-a/os"}, "quay.io/team-a/os", "quay.io/team-a/os"},
		{[]string{"quay.io/team-a/os/deep"}, "quay.io/team-a/os", ""},
		{[]string{"quay.io/acme"}, "quay.io/other/acme", ""},
		{[]string{"quay.io", "quay.io/acme", "quay.io/acme/os"}, "quay.io/acme/os", "quay.io/acme/os"},
		{[]string{"quay.io/acme/os", "quay.io"}, "quay.io/acme/tools", "quay.io"},

		{[]string{"*.example.com"}, "r.example.com/os", "*.example.com"},
		{[]string{"*.example.com"}, "a.b.example.com/os", ""},
		{[]string{"*.example.com"}, "example.com/os", ""},
		{[]string{"*.example.com"}, "r.example.com.evil.org/os", ""},
		{[]string{"*.example.com", "r.example.com"}, "r.example.com/os", "r.example.com"},
		{[]string{"*"}, "localhost:5000/os", "*"},
		{[]string{"*"}, "quay.io/os", ""},
		{[]string{"[::1]:5000"}, "[::1]:5000/os", "[::1]:5000"},
	} {
		assert.Equal(t, test.want, userFor(t, ringOf(t, test.keys...), test.image), "%v for %s", test.keys, test.image)
	}
}

func TestTheFirstOfEqualKeysCounts(t *testing.T) {
	ring := &Keyring{}
	for _, user := range []string{"first", "second"} {
		require.NoError(t, ring.AddConfigJSON("the secret radar/"+user, []byte(`{"auths": {"quay.io": {"username": "`+user+`", "password": "s"}}}`)))
	}
	assert.Equal(t, "first", userFor(t, ring, "quay.io/acme/os"))
	ring.Set("ghcr.io", NewCredential("a token", "me", "s"))
	assert.Equal(t, "me", userFor(t, ring, "ghcr.io/acme/os"))
}

func TestFormsOfCredentials(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("robot:s3c:ret"))
	for content, want := range map[string]authn.AuthConfig{
		`{"auths": {"quay.io": {"auth": "` + encoded + `"}}}`:                      {Username: "robot", Password: "s3c:ret"},
		`{"auths": {"quay.io": {"username": "other", "auth": "` + encoded + `"}}}`: {Username: "other", Password: "s3c:ret"},
		`{"auths": {"quay.io": {"identitytoken": "refresh"}}}`:                     {IdentityToken: "refresh"},
		`{"auths": {"quay.io": {"registrytoken": "bearer"}}}`:                      {RegistryToken: "bearer"},
		`{"auths": {"quay.io": {"email": "me@example.com"}}, "credsStore": "x"}`:   {},
		`{}`:   {},
		`null`: {},
	} {
		ring := &Keyring{}
		require.NoError(t, ring.AddConfigJSON("the secret radar/quay", []byte(content)), content)
		repository, err := name.NewRepository("quay.io/acme/os")
		require.NoError(t, err)
		found, err := ring.Resolve(repository)
		require.NoError(t, err)
		config, err := found.Authorization()
		require.NoError(t, err)
		assert.Equal(t, want, *config, content)
	}
	ring := &Keyring{}
	require.NoError(t, ring.AddDockerCfg("an old secret", []byte(`{"quay.io": {"auth": "`+encoded+`"}}`)))
	assert.Equal(t, "robot", userFor(t, ring, "quay.io/acme/os"))
}

// What cannot be read is named, and none of it is quoted: it may be a secret.
func TestUnreadableCredentialsAreNotQuoted(t *testing.T) {
	for content, want := range map[string]string{
		`s3cret`:                         "the secret radar/quay is no Docker config.json: the JSON is broken at byte 1",
		`{"auths": "s3cret"}`:            "the secret radar/quay is no Docker config.json: the JSON has a string at byte 18",
		`{"auths": {"quay.io": "s3cret"`: "the secret radar/quay is no Docker config.json: the JSON is broken at byte 30",
	} {
		assert.EqualError(t, (&Keyring{}).AddConfigJSON("the secret radar/quay", []byte(content)), want)
	}
	err := (&Keyring{}).AddDockerCfg("the secret radar/old", []byte(`["s3cret"]`))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "s3cret")
}

// One entry that cannot be read keeps nobody from the others, and is named to whoever needs it. None of it is quoted.
func TestAnEntryThatCannotBeRead(t *testing.T) {
	repository := func(text string) name.Repository {
		parsed, err := name.NewRepository(text)
		require.NoError(t, err)
		return parsed
	}
	const others = `"ghcr.io": {"username": "me", "password": "s"}, "quay.io/other": {"username": "it", "password": "s"}`
	for broken, want := range map[string]string{
		`"s3cret"`:           "it is a JSON string",
		`["s3cret"]`:         "it is a JSON array",
		`{"username": 1234}`: "its username is a JSON number",
		`{"auth": "s3c"}`:    "its auth is no base64",
		`{"auth": "` + base64.StdEncoding.EncodeToString([]byte("s3cret")) + `"}`: "its auth is not the base64 of user:password",
	} {
		ring := &Keyring{}
		require.NoError(t, ring.AddConfigJSON("the secret radar/quay", []byte(`{"auths": {"quay.io": `+broken+`, `+others+`}}`)), broken)
		assert.Equal(t, "me", userFor(t, ring, "ghcr.io/acme/os"))
		assert.Equal(t, "it", userFor(t, ring, "quay.io/other/os"))
		assert.Empty(t, userFor(t, ring, "registry.example/acme/os"))
		_, err := ring.Resolve(repository("quay.io/acme/os"))
		assert.EqualError(t, err, `the secret radar/quay, entry "quay.io": `+want)

		require.NoError(t, ring.AddDockerCfg("another secret", []byte(`{"quay.io": {"username": "robot", "password": "s"}, "ghcr.io": `+broken+`}`)))
		assert.Equal(t, "robot", userFor(t, ring, "quay.io/acme/os"), "one that can be read goes first")
		assert.Equal(t, "me", userFor(t, ring, "ghcr.io/acme/os"))
	}
}

// Whatever a secret holds, it opens its own hosts only.
func FuzzKeyring(f *testing.F) {
	f.Add([]byte(`{"auths": {"quay.io": {"auth": "dTpw"}}}`), "quay.io/acme/os")
	f.Add([]byte(`{"auths": {"*.example.com/a": {"username": "u", "password": "p"}}}`), "r.example.com/a/os")
	f.Add([]byte(`{"auths": {"https://[::1]:5000/v1/": {"identitytoken": "t"}}}`), "[::1]:5000/os")
	f.Add([]byte(`{"auths": {"quay.io": [], "ghcr.io": {"auth": "dTpw"}}}`), "ghcr.io/os")
	f.Fuzz(func(t *testing.T, content []byte, image string) {
		repository, err := name.NewRepository(image)
		if err != nil {
			return
		}
		ring := &Keyring{}
		if err := ring.AddConfigJSON("it", content); err != nil {
			return
		}
		found, failure := ring.Resolve(repository)
		credential, ok := found.(*Credential)
		if !ok && failure == nil {
			return
		}
		host := canonicalKeyHost(repository.RegistryStr())
		fits := false
		for _, key := range ring.keys {
			if (failure != nil && key.broken == failure) || (failure == nil && key.credential.config == credential.config) { //nolint:errorlint // the same
				fits = fits || strings.Count(key.host, ".") == strings.Count(host, ".") && (strings.ContainsAny(key.host, `*?[\`) || key.host == host)
			}
		}
		assert.True(t, fits, "%s was opened by a key of another host", host)
	})
}
