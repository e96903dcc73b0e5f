package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blob is a piece of content of an image: a configuration or a layer.
type Blob struct {
	Digest    string
	SizeBytes int64
}

// Blobs opens the blobs of one repository, one at a time.
type Blobs struct {
	session *session
}

// Blobs opens a session for reading many blobs of one repository. The error is an *Error.
func (c *Client) Blobs(ctx context.Context, repository name.Repository, keychain authn.Keychain) (*Blobs, error) {
	s, err := c.prepare(ctx, repository, keychain)
	if err != nil {
		return nil, err
	}
	return &Blobs{session: s}, c.open(ctx, s)
}

// Open streams a blob. What is read is hashed on the way: reading ends with io.EOF only if the blob had its size and
// its digest; until then nothing about it is proven. Errors, of Open and of Read, are *Errors. The caller closes.
func (b *Blobs) Open(ctx context.Context, blob Blob) (io.ReadCloser, error) {
	digest, err := v1.NewHash(blob.Digest)
	if err != nil {
		return nil, b.session.failure("blob "+blob.Digest, faultf(Malformed, "%v", err))
	}
	return b.session.blob(ctx, digest, blob.SizeBytes)
}

func (s *session) blob(ctx context.Context, digest v1.Hash, size int64) (io.ReadCloser, error) {
	subject := "the blob " + s.repository.Name() + "@" + digest.String()
	hasher, err := v1.Hasher(digest.Algorithm)
	if err != nil {
		return nil, s.failure(subject, faultf(Malformed, "%v", err))
	}
	resp, err := s.request(ctx, http.MethodGet, "blobs", digest.String()) //nolint:bodyclose // the caller closes the blob
	if code, ok := statusOf(err); ok && code == http.StatusNotFound {
		resp, err = s.request(ctx, http.MethodGet, "blobs", digest.String()) //nolint:bodyclose // likewise
	}
	if err != nil {
		return nil, incomplete(s.failure(subject, err))
	}
	return &verified{
		body: resp.Body, hasher: hasher, digest: digest, left: size,
		failure: func(err error) error { return s.failure(subject, err) },
	}, nil
}

// incomplete turns "not found" into what it means for a part of an image that does exist.
func incomplete(err error) error {
	var known *Error
	if errors.As(err, &known) && known.Reason == NotFound {
		part := *known
		part.Reason = Incomplete
		return &part
	}
	return err
}

// verified passes a body on, and EOF only if the body was the expected one.
type verified struct {
	body    io.ReadCloser
	hasher  hash.Hash
	digest  v1.Hash
	left    int64 // bytes that are still to come
	failure func(error) error
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.body.Read(p)
	_, _ = v.hasher.Write(p[:n]) // hash.Hash never fails
	v.left -= int64(n)
	switch {
	case v.left < 0:
		return n, v.failure(faultf(DigestMismatch, "they are more than the manifest says"))
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, v.failure(err)
	}
	return n, v.judge()
}

func (v *verified) judge() error {
	if v.left > 0 {
		return v.failure(faultf(DigestMismatch, "they are %d fewer than the manifest says", v.left))
	}
	if got := hex.EncodeToString(v.hasher.Sum(nil)); got != v.digest.Hex {
		return v.failure(faultf(DigestMismatch, "they have %s:%s", v.digest.Algorithm, got))
	}
	return io.EOF
}

func (v *verified) Close() error { return v.body.Close() }
