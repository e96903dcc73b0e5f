package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// MaxManifestBytes is the largest manifest or index that is read: what registries commonly accept, as the OCI
// distribution specification recommends ("Pushing Manifests").
const MaxManifestBytes = 4 << 20

// Descriptor is what a reference means now.
type Descriptor struct {
	// Digest of the manifest or index, for example sha256:2c26....
	Digest string
	// MediaType of the manifest or index.
	MediaType string
	// SizeBytes of the manifest or index itself, not of the image.
	SizeBytes int64
}

// manifest is a manifest or index whose bytes have its digest.
type manifest struct {
	digest    v1.Hash
	mediaType string // as the registry calls it
	body      []byte
}

// Head asks what the reference means now, with one request where the registry knows HEAD; it falls back to GET where
// the answer is refused or lacks something. The digest of a HEAD is the registry's word; a digest from Describe is
// computed. The error is an *Error.
func (c *Client) Head(ctx context.Context, ref name.Reference, keychain authn.Keychain) (Descriptor, error) {
	return look(ctx, c, &c.heads, ref, keychain, func(ctx context.Context, s *session) (Descriptor, error) {
		head, err := s.head(ctx, ref)
		if err == nil && head.complete(ref) {
			return head, nil
		}
		if err != nil && !worthGet(err) {
			return Descriptor{}, err
		}
		if ReasonOf(err) == NotFound {
			if err := s.greet(ctx); err != nil {
				return Descriptor{}, err
			}
		}
		m, err := s.get(ctx, ref)
		if err != nil {
			return Descriptor{}, err
		}
		return Descriptor{Digest: m.digest.String(), MediaType: m.mediaType, SizeBytes: int64(len(m.body))}, nil
	})
}

// worthGet says whether GET may do better than this failed HEAD: registries refuse the method with various codes. For
// "not found" it is the second question that a deletion needs.
func worthGet(err error) bool {
	switch ReasonOf(err) {
	case NotFound:
		return true
	case RegistryUnavailable:
		status, ok := statusOf(err)
		return ok && status < http.StatusInternalServerError
	}
	return false
}

func (d Descriptor) complete(ref name.Reference) bool {
	_, err := v1.NewHash(d.Digest)
	_, byDigest := ref.(name.Digest)
	return err == nil && d.MediaType != "" && d.SizeBytes >= 0 && (!byDigest || d.Digest == ref.Identifier())
}

func (s *session) head(ctx context.Context, ref name.Reference) (Descriptor, error) {
	resp, err := s.request(ctx, http.MethodHead, "manifests", ref.Identifier())
	if err != nil {
		return Descriptor{}, s.failure(ref.Name(), err)
	}
	if err := resp.Body.Close(); err != nil {
		return Descriptor{}, s.failure(ref.Name(), err)
	}
	mediaType := resp.Header.Get("Content-Type")
	if err := checkName("Content-Type", mediaType); err != nil {
		return Descriptor{}, s.failure(ref.Name(), err)
	}
	return Descriptor{
		Digest:    resp.Header.Get("Docker-Content-Digest"),
		MediaType: mediaType,
		SizeBytes: resp.ContentLength,
	}, nil
}

// found is get for what a reference itself names. That there is nothing must be said twice, and by a registry: a gateway
// whose registry is away says so of everything.
func (s *session) found(ctx context.Context, ref name.Reference) (*manifest, error) {
	m, err := s.get(ctx, ref)
	if ReasonOf(err) != NotFound {
		return m, err
	}
	if err := s.greet(ctx); err != nil {
		return nil, err
	}
	return s.get(ctx, ref)
}

// greet makes sure that there is a registry, unless the session has just done so.
func (s *session) greet(ctx context.Context) error {
	if !s.reused {
		return nil
	}
	return s.account.client.reopen(ctx, s)
}

// confirmed is get for a part of an image that is there; a registry must say "not found" twice to be believed.
func (s *session) confirmed(ctx context.Context, ref name.Reference) (*manifest, error) {
	m, err := s.get(ctx, ref)
	if ReasonOf(err) == NotFound {
		return s.get(ctx, ref)
	}
	return m, err
}

// get reads what the reference names. The digest of a tag's manifest is that of the bytes, whatever Docker-Content-Digest says
// of them: too many registries send one of something else for a difference to mean anything.
func (s *session) get(ctx context.Context, ref name.Reference) (*manifest, error) {
	resp, err := s.request(ctx, http.MethodGet, "manifests", ref.Identifier())
	if err != nil {
		return nil, s.failure(ref.Name(), err)
	}
	defer resp.Body.Close()
	body, err := readBounded(resp.Body, MaxManifestBytes)
	if err != nil {
		return nil, s.failure(ref.Name(), err)
	}
	digest, err := checkDigest(body, ref)
	if err != nil {
		return nil, s.failure(ref.Name(), err)
	}
	mediaType := resp.Header.Get("Content-Type")
	if err := checkName("Content-Type", mediaType); err != nil {
		return nil, s.failure(ref.Name(), err)
	}
	return &manifest{digest: digest, mediaType: mediaType, body: body}, nil
}

// request asks for /v2/<repository>/<kind>/<identifier>; an answer other than 200 is an error.
func (s *session) request(ctx context.Context, method, kind, identifier string) (*http.Response, error) {
	return s.ask(ctx, method, s.path(kind, identifier))
}

func (s *session) path(kind, identifier string) string {
	return "/v2/" + s.repository.RepositoryStr() + "/" + kind + "/" + identifier
}

// ask sends a request to the registry. When the way in that an earlier session found is closed, or one without a handshake
// is none, it looks for another one, once: registries forget tokens, and change how they are authenticated to, and by which
// token server.
func (s *session) ask(ctx context.Context, method, target string) (*http.Response, error) {
	response, err := s.send(ctx, method, target)
	switch {
	case ctx.Err() != nil:
		return response, err
	case s.unproven && err == nil:
		s.prove()
		return response, nil
	case s.unproven && mayDependOnWho(err):
		s.unproven = false
		err = s.account.client.enter(ctx, s)
	case s.reused && isClosed(err):
		err = s.account.client.reopen(ctx, s)
	default:
		return response, err
	}
	if err != nil {
		return nil, err
	}
	return s.send(ctx, method, target)
}

func (s *session) send(ctx context.Context, method, target string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.scheme+"://"+s.registry()+target, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accepted)
	response, err := s.http.Do(request)
	if err != nil {
		return nil, ofRenewal(err)
	}
	if err := transport.CheckError(response, http.StatusOK); err != nil {
		_ = response.Body.Close() // the status is the error to report
		return nil, err
	}
	return response, nil
}

// unrenewed is the failure to get another token for one that expired, which is done within a request.
type unrenewed struct{ error }

func (u *unrenewed) Unwrap() error { return u.error }

// noToken is how go-containerregistry begins to quote a token server's answer, which may hold other secrets.
const noToken = "no token in bearer response"

// ofRenewal marks such a failure. What a token server answers is not the registry's answer to the request: its 404 says
// nothing about an image.
func ofRenewal(err error) error {
	var request, further *url.Error
	var status *transport.Error
	var kept *postponed
	if !errors.As(err, &request) {
		return err
	}
	switch within := request.Err; {
	case errors.As(within, &further), strings.HasPrefix(within.Error(), noToken):
	case errors.As(within, &status) && !errors.As(within, &kept):
	default:
		return err
	}
	return &unrenewed{handshakeFault(request.Err)}
}

// isClosed says whether a request failed because the way in did.
func isClosed(err error) bool {
	var renewal *unrenewed
	code, ok := statusOf(err)
	return (ok && code == http.StatusUnauthorized) || errors.As(err, &renewal)
}

// accepted are the types that can be described; Docker's schema 1 has no digest of its own and is not among them. A blob
// may be of any type.
var accepted = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1), string(types.DockerManifestList), string(types.DockerManifestSchema2), "*/*;q=0.1",
}, ",")

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, faultf(TooLarge, "more than %d MiB", limit>>20)
	}
	return body, nil
}

// checkDigest computes the digest of a manifest, with the algorithm of the reference if that is a digest, to which it
// must be equal then.
func checkDigest(body []byte, ref name.Reference) (v1.Hash, error) {
	want := v1.Hash{Algorithm: "sha256"}
	_, byDigest := ref.(name.Digest)
	if byDigest {
		var err error
		if want, err = v1.NewHash(ref.Identifier()); err != nil {
			return v1.Hash{}, faultf(Malformed, "%v", err)
		}
	}
	hasher, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return v1.Hash{}, faultf(Malformed, "%v", err)
	}
	_, _ = hasher.Write(body) // hash.Hash never fails
	got := v1.Hash{Algorithm: want.Algorithm, Hex: hex.EncodeToString(hasher.Sum(nil))}
	if byDigest && got != want {
		return v1.Hash{}, faultf(DigestMismatch, "they have %s", got)
	}
	return got, nil
}
