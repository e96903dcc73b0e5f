package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

type faults = func(http.ResponseWriter, *http.Request) bool

// body answers every request with the given text as if it were a manifest.
func body(mediaType types.MediaType, text string) faults {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", string(mediaType))
		_, _ = io.WriteString(w, text)
		return true
	}
}

// hangUp breaks the connection after the header and a part of the body.
func hangUp(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"schemaVersion":2,`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Every fault has its reason, in Describe and, where a manifest decides, in Head; "%h" stands for the host.
func TestReasons(t *testing.T) {
	const oci = types.OCIManifestSchema1
	tests := map[string]struct {
		faults faults
		reason registry.Reason
		says   string
	}{
		"404":              {only(status(404, "MANIFEST_UNKNOWN"), "manifests"), registry.NotFound, `%h/acme/os:1 does not exist on %h (HTTP 404 Not Found, "MANIFEST_UNKNOWN"): check the repository and the tag or digest, or push the image`},
		"no registry":      {status(404, ""), registry.RegistryUnavailable, `%h gave no answer about %h/acme/os (HTTP 404 at /v2/ or at its token server, as if it were no registry): check that %h runs and can be reached from here`},
		"401":              {only(status(401, "UNAUTHORIZED"), "manifests"), registry.Unauthorized, `%h wants credentials for %h/acme/os:1 (HTTP 401 Unauthorized, "UNAUTHORIZED"): provide a pull secret for %h`},
		"403":              {only(status(403, "DENIED"), "manifests"), registry.Forbidden, `%h does not show %h/acme/os:1 to everybody (HTTP 403 Forbidden, "DENIED"): provide a pull secret for %h`},
		"429":              {only(status(429, "TOOMANYREQUESTS"), "manifests"), registry.Throttled, `%h limits how often it is asked, and refused %h/acme/os:1 (HTTP 429 Too Many Requests, "TOOMANYREQUESTS"): wait, or use credentials with a higher limit`},
		"500":              {only(status(500, "UNKNOWN"), "manifests"), registry.RegistryUnavailable, `%h gave no answer about %h/acme/os:1 (HTTP 500 Internal Server Error, "UNKNOWN"): check that %h runs and can be reached from here`},
		"503 at the ping":  {status(503, "UNAVAILABLE"), registry.RegistryUnavailable, "HTTP 503"},
		"cut off":          {only(hangUp, "manifests"), registry.RegistryUnavailable, "unexpected EOF"},
		"oversized":        {only(body(oci, strings.Repeat(" ", registry.MaxManifestBytes+1)), "manifests"), registry.TooLarge, "%h/acme/os:1 on %h is larger than is accepted (more than 4 MiB): make it smaller, or split it"},
		"no JSON":          {only(body(oci, "<html>"), "manifests"), registry.Malformed, "%h/acme/os:1 on %h is no image that can be read (invalid character '<' looking for beginning of value): push it again with a current tool"},
		"no manifest":      {only(body("text/html", "{}"), "manifests"), registry.Malformed, `the media type "text/html" is neither`},
		"schema 1":         {only(body(types.DockerManifestSchema1Signed, "{}"), "manifests"), registry.Malformed, "is neither an image's nor an index's"},
		"two media types":  {only(body(oci, `{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`), "manifests"), registry.Malformed, "it calls itself"},
		"image and index":  {only(body(types.OCIImageIndex, `{"manifests":[],"layers":[]}`), "manifests"), registry.Malformed, "both the manifests of an index and the layers of an image"},
		"no digest":        {only(body(oci, `{"config":{"size":1},"layers":[]}`), "manifests"), registry.Malformed, "has no digest"},
		"negative size":    {only(body(oci, fmt.Sprintf(`{"config":{"size":-1,"digest":"sha256:%064d"}}`, 0)), "manifests"), registry.Malformed, "cannot have -1 bytes"},
		"many layers":      {only(body(oci, `{"layers":[`+strings.Repeat("{},", registry.MaxLayers)+`{}]}`), "manifests"), registry.TooLarge, "more than 4096 layers"},
		"no config":        {only(status(404, "BLOB_UNKNOWN"), "blobs"), registry.Incomplete, "holds only a part of the image: the blob %h/acme/os@sha256:"},
		"config of others": {only(body("", strings.Repeat("x", 400)), "blobs"), registry.DigestMismatch, "sends other bytes for the blob %h/acme/os@sha256:"},
	}
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			_, err := describe(s.ref("acme/os:1"))
			require.Error(t, err)
			assert.Equal(t, test.reason, registry.ReasonOf(err))
			assert.Contains(t, err.Error(), strings.ReplaceAll(test.says, "%h", s.host))
			assert.NotContains(t, err.Error(), "secret-of-the-server")
		})
	}
}

func TestNotFoundIsAskedTwice(t *testing.T) {
	s := newServer(t)
	image := newImage(t, "one")
	s.push("acme/os:1", image)
	for _, part := range []string{"manifests", "blobs"} {
		missed := false
		s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
			if missed {
				return false
			}
			missed = true
			return status(404, "MANIFEST_UNKNOWN")(w, r)
		}, part))
		got, err := describe(s.ref("acme/os:1"))
		require.NoError(t, err, "one 404 is not believed (%s)", part)
		assert.Equal(t, digestOf(t, image), got.Digest)
	}

	s.inject(only(status(404, "MANIFEST_UNKNOWN"), "manifests"))
	_, err := describe(s.ref("acme/os:1"))
	assert.Equal(t, registry.NotFound, registry.ReasonOf(err))
	assert.Equal(t, []string{"GET /v2/", "GET /v2/acme/os/manifests/1", "GET /v2/acme/os/manifests/1"}, s.log())
}

func TestThrottledIsNotAskedAgain(t *testing.T) {
	s := newServer(t)
	s.inject(only(status(429, "TOOMANYREQUESTS"), "manifests"))
	_, err := describe(s.ref("acme/os:1"))
	assert.Equal(t, registry.Throttled, registry.ReasonOf(err))
	assert.Len(t, s.log(), 2)
}

func TestOneTroubledMomentIsOvercome(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	troubled := true
	s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
		if troubled {
			troubled = false
			return status(503, "UNAVAILABLE")(w, r)
		}
		return false
	}, "manifests"))
	_, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)
}

func TestMissingPlatformIsIncomplete(t *testing.T) {
	s := newServer(t)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: newImage(t, "one")})
	s.pushIndex("acme/os:1", index)
	s.inject(only(status(404, "MANIFEST_UNKNOWN"), "manifests/sha256:"))
	_, err := describe(s.ref("acme/os:1"))
	assert.Equal(t, registry.Incomplete, registry.ReasonOf(err), "the index is there: the image is not gone")
}

func TestWrongDigest(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	other := newImage(t, "two")
	raw, err := newImage(t, "one").RawManifest()
	require.NoError(t, err)
	s.inject(only(body(types.OCIManifestSchema1, string(raw)), "manifests"))

	ref := s.ref("acme/os@" + digestOf(t, other))
	_, err = describe(ref)
	assert.Equal(t, registry.DigestMismatch, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "they have "+digestOf(t, newImage(t, "one")))
	_, err = newClient().Head(context.Background(), ref, nil)
	assert.Equal(t, registry.DigestMismatch, registry.ReasonOf(err))
}

func TestConnectionRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host := listener.Addr().String()
	require.NoError(t, listener.Close())

	ref, err := name.ParseReference(host + "/acme/os:1")
	require.NoError(t, err)
	_, err = describe(ref)
	assert.Equal(t, registry.RegistryUnavailable, registry.ReasonOf(err))
	assert.EqualError(t, err, fmt.Sprintf("%[1]s gave no answer about %[1]s/acme/os (dial tcp %[1]s: connect: connection refused): check that %[1]s runs and can be reached from here", host))
}

func TestUntrustedCertificate(t *testing.T) {
	backend := httptest.NewUnstartedServer(http.NotFoundHandler())
	backend.Config.ErrorLog = log.New(io.Discard, "", 0)
	backend.StartTLS()
	defer backend.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(backend.URL, "https://") + "/acme/os:1")
	require.NoError(t, err)
	_, err = registry.New(settings("127.0.0.1: {privateAddresses: true}")).Describe(t.Context(), ref, nil)
	assert.Equal(t, registry.TLSError, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "certificate signed by unknown authority")
}

func TestDeadline(t *testing.T) {
	s := newServer(t)
	asked := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	s.inject(only(func(_ http.ResponseWriter, r *http.Request) bool {
		close(asked)
		<-r.Context().Done()
		return true
	}, "manifests"))
	go func() { <-asked; cancel() }()
	_, err := newClient().Describe(ctx, s.ref("acme/os:1"), nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, registry.RegistryUnavailable, registry.ReasonOf(err))
}

type brokenKeychain struct{}

func (brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("reading config.json: permission denied")
}

func TestUnreadableCredentials(t *testing.T) {
	s := newServer(t)
	_, err := newClient().Describe(context.Background(), s.ref("acme/os:1"), brokenKeychain{})
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err))
	assert.EqualError(t, err, fmt.Sprintf("%[1]s was not asked about %[1]s/acme/os (reading the credentials: reading config.json: permission denied): correct the credentials for %[1]s", s.host))
	assert.Empty(t, s.log(), "the registry is not asked without them")
}

type password struct{}

func (password) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "robot", Password: "hunter2"}, nil
}

func TestCredentialsReachTheRegistryAndNoMessage(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	guard := func(w http.ResponseWriter, r *http.Request) bool {
		if _, pass, _ := r.BasicAuth(); pass == "hunter2" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		return status(401, "UNAUTHORIZED")(w, r)
	}
	s.inject(guard)
	_, err := newClient().Describe(context.Background(), s.ref("acme/os:1"), password{})
	require.NoError(t, err)

	s.inject(func(w http.ResponseWriter, r *http.Request) bool {
		return guard(w, r) || only(status(403, "DENIED"), "manifests")(w, r)
	})
	_, err = newClient().Describe(context.Background(), s.ref("acme/os:1"), password{})
	assert.Equal(t, registry.Forbidden, registry.ReasonOf(err))
	assert.NotContains(t, err.Error(), "hunter2")
}

// A token server's answer may hold tokens; a malformed one must not be quoted.
func TestTokenAnswerIsNotQuoted(t *testing.T) {
	s := newServer(t)
	s.inject(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			_, _ = io.WriteString(w, `{"refresh_token":"hunter2"}`)
			return true
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token"`, s.host))
		return status(401, "UNAUTHORIZED")(w, r)
	})
	_, err := newClient().Describe(context.Background(), s.ref("acme/os:1"), password{})
	require.Error(t, err)
	assert.Equal(t, registry.RegistryUnavailable, registry.ReasonOf(err))
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestDefinite(t *testing.T) {
	for reason, definite := range map[registry.Reason]bool{
		registry.NotFound: true, registry.DigestMismatch: true, registry.Incomplete: true, registry.Malformed: true, registry.TooLarge: true,
		registry.Unauthorized: false, registry.Forbidden: false, registry.Throttled: false, registry.TLSError: false,
		registry.RegistryUnavailable: false, "": false,
	} {
		assert.Equal(t, definite, reason.Definite(), "reason %q", reason)
	}
}

func TestReasonOfOtherErrors(t *testing.T) {
	assert.Empty(t, registry.ReasonOf(nil))
	assert.Empty(t, registry.ReasonOf(io.EOF))
	assert.Equal(t, registry.NotFound, registry.ReasonOf(fmt.Errorf("wrapped: %w", &registry.Error{Reason: registry.NotFound})))
}
