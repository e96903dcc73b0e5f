package registry

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a page of referrers holds, what is taken from it has a digest, a possible size and names of a sane length.
func FuzzReferrers(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2,"artifactType":"a/b","annotations":{"a":"b"}}]}`))
	f.Add([]byte(`{"manifests":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l := &referrersList{seen: map[string]bool{}}
		if err := l.add(body); err != nil {
			assert.Contains(t, []Reason{Malformed, TooLarge}, reasonFor(err))
			return
		}
		require.LessOrEqual(t, len(l.all), MaxReferrers)
		for _, r := range l.all {
			assert.NotEmpty(t, r.Digest)
			assert.GreaterOrEqual(t, r.SizeBytes, int64(0))
			assert.LessOrEqual(t, len(r.ArtifactType), MaxNameBytes)
			assert.LessOrEqual(t, len(r.MediaType), MaxNameBytes)
			assert.LessOrEqual(t, len(r.Annotations), MaxFacts)
		}
	})
}

// Whatever a Link header says, the next page is one of the registry's.
func FuzzLink(f *testing.F) {
	for _, header := range []string{
		`</v2/acme/os/referrers/sha256:0?last=a>; rel="next"`, `<https://evil.example/>; rel=next`, `<//evil.example/>; rel=next`,
		`<a>; rel="prev", <?n=1>; rel="next"`, `<`, `>`, `<>;rel=next`, `<\\evil.example>;rel=next`, `</v2/ HTTP/1.1>; rel=next`,
	} {
		f.Add(header)
	}
	page := &url.URL{Scheme: "https", Host: "quay.io", Path: "/v2/acme/os/referrers/x"}
	f.Fuzz(func(t *testing.T, header string) {
		next, err := nextPage(page, []string{header})
		if err != nil {
			assert.Contains(t, []Reason{Malformed, Blocked}, reasonFor(err))
			return
		}
		if next == "" {
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://quay.io"+next, nil)
		if err == nil {
			assert.Equal(t, "quay.io", request.URL.Host, "%q leads to %q", header, next)
		}
	})
}

// challenged is a registry that answers every request to its own host with one challenge, and a world in which every
// other host gives tokens. It notes which hosts were sent the password.
type challenged struct {
	header string
	leaked []string
}

func (c *challenged) RoundTrip(request *http.Request) (*http.Response, error) {
	if _, password, _ := request.BasicAuth(); password == "hunter2" {
		c.leaked = append(c.leaked, authorityOf(request.URL))
	}
	if request.URL.Host == "quay.io" {
		response := answering(http.StatusUnauthorized, "")
		response.Header["Www-Authenticate"] = []string{c.header}
		response.Request = request
		return response, nil
	}
	response := answering(http.StatusOK, `{"token":"t"}`)
	response.Request = request
	return response, nil
}

// Whatever a registry demands, the password goes to its own domain or nowhere.
func FuzzChallenge(f *testing.F) {
	for _, header := range []string{
		`Basic realm="x"`, `Bearer realm="https://quay.io/token",service="quay.io"`, `Bearer realm="https://evil.example/token"`,
		`Bearer realm="https://auth.quay.io/token"`, `Bearer realm="http://quay.io/token"`, `Bearer realm="https://quay.io@evil.example/"`,
		`Bearer realm="https://quay.io.evil.example/"`, `Bearer`, `Negotiate`, ``, `Bearer realm="https://127.0.0.1/"`, `Bearer realm="//evil.example/"`,
	} {
		f.Add(header)
	}
	repository, err := name.NewRepository("quay.io/acme/os")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, header string) {
		client, world := New(nil), &challenged{header: header}
		auth := &Credential{config: authn.AuthConfig{Username: "robot", Password: "hunter2"}}
		account := &account{accountKey: accountKey{authority: "quay.io"}, auth: auth, client: client}
		s := &session{repository: repository, account: account, scheme: "https"}
		opened, _, err := client.accessBy(t.Context(), s, world)
		if err == nil {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://quay.io/v2/", nil)
			require.NoError(t, err)
			if response, err := opened.Do(request); err == nil {
				_ = response.Body.Close()
			}
		}
		for _, host := range world.leaked {
			assert.True(t, (&Host{}).trusts("quay.io", host), "%q had the password sent to %s", header, host)
		}
	})
}

// Whatever a manifest says, what Artifact sets out to read of it is bounded.
func FuzzArtifact(f *testing.F) {
	const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	f.Add([]byte(`{"config":{"mediaType":"a/b","digest":"` + digest + `","size":2},"layers":[{"mediaType":"a/b","digest":"` + digest + `","size":3,"annotations":{"a":"b"}}]}`))
	f.Add([]byte(`{"config":{"digest":"` + digest + `"},"layers":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		layers, err := decodeArtifact(string(types.OCIManifestSchema1), body)
		if err != nil {
			assert.Contains(t, []Reason{Malformed, TooLarge}, reasonFor(err))
			return
		}
		total, seen := int64(0), map[v1.Hash]bool{}
		for _, layer := range layers {
			if !seen[layer.Digest] {
				seen[layer.Digest], total = true, total+layer.Size
			}
			assert.NotEmpty(t, layer.Digest.Hex)
			assert.GreaterOrEqual(t, layer.Size, int64(0))
			assert.LessOrEqual(t, len(layer.Annotations), MaxFacts)
		}
		assert.LessOrEqual(t, len(seen), MaxArtifactLayers)
		assert.LessOrEqual(t, total, int64(MaxArtifactBytes))
	})
}
