//go:build registries

package registries

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/signature"
	"imagecatalog.dev/catalog/pkg/verify"
	corpus "imagecatalog.dev/catalog/test/signatures"
)

// What cosign signs is signed: in both forms, images and indexes, with referrers found by the API and under their tag.
func TestCosignSigns(t *testing.T) {
	t.Parallel()
	for _, b := range []*backend{modern, open, debian} {
		for form := range cosignForms {
			t.Run(b.name+"/"+form, func(t *testing.T) {
				t.Parallel()
				c, f := newCosignForSigning(t), newFront(t, b)
				key, stranger := c.importKey("p256"), c.importKey("rsa")
				image, index := f.pushOwn(t, form)
				for _, subject := range []name.Digest{image, index} {
					assert.Equal(t, signature.Unsigned, f.judge(t, c, subject, key).Reason)
					c.sign(f, key, form, subject)
					found := f.judge(t, c, subject, key)
					assert.Equal(t, signature.Signed, found.Reason, found.Text)
					assert.Equal(t, signature.KeyMismatch, f.judge(t, c, subject, stranger).Reason)
				}
			})
		}
	}
}

// A signature of the index is none of its images, unless they are signed with it.
func TestCosignSignsRecursively(t *testing.T) {
	t.Parallel()
	for form := range cosignForms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			c, f := newCosignForSigning(t), newFront(t, modern)
			key := c.importKey("p256")
			image, index := f.pushOwn(t, form+" recursively")
			c.sign(f, key, form, index)
			assert.Equal(t, signature.Unsigned, f.judge(t, c, image, key).Reason)
			c.sign(f, key, form, index, "--recursive")
			assert.Equal(t, signature.Signed, f.judge(t, c, image, key).Reason)
		})
	}
}

func TestCosignKeys(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"p256", "p384", "p521", "rsa", "ed25519"} {
		for form := range cosignForms {
			if kind == "ed25519" && form == "bundle" {
				continue // cosign 3.1.3 cannot: it signs with Ed25519ph and fails to verify that as Ed25519
			}
			t.Run(kind+"/"+form, func(t *testing.T) {
				t.Parallel()
				c, f := newCosignForSigning(t), newFront(t, modern)
				key := c.importKey(kind)
				image, _ := f.pushOwn(t, kind+form)
				c.sign(f, key, form, image)
				found := f.judge(t, c, image, key)
				assert.Equal(t, signature.Signed, found.Reason, found.Text)
			})
		}
	}
}

// A signature by digest costs no more requests than were promised, and fewer than cosign takes: with the ping, and in the
// Task, which asks at once, with the image itself.
func TestSignatureRequests(t *testing.T) {
	t.Parallel()
	for form := range cosignForms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			c, f := newCosignForSigning(t), newFront(t, modern)
			key := c.importKey("p256")
			image, _ := f.pushOwn(t, form+" requests")
			c.sign(f, key, form, image)
			f.Forget()
			require.Equal(t, signature.Signed, f.judge(t, c, image, key).Reason)
			assert.Len(t, f.Log(), 4, f.Log())

			f.Forget()
			gate := verify.Verifier{Registry: f.clientAtOnce(t), Keychain: f.keychain(), Log: t.Output()}
			verdict := gate.Verify(patient(t), verify.Options{ImageURL: image.Name(), PublicKey: string(c.pem(key))})
			require.Equal(t, verify.Verified, verdict.Outcome, verdict)
			assert.Len(t, f.Log(), 4, f.Log())
		})
	}
}

// Cosign says of the corpus what we say, but where the corpus says why not.
func TestCosignOnTheCorpus(t *testing.T) {
	t.Parallel()
	on := corpus.NewRegistry(t)
	for _, one := range corpus.Corpus() {
		t.Run(one.Name, func(t *testing.T) {
			t.Parallel()
			s := one.Set(t, on)
			verified, said := newCosign(t).verify(s.Image, s.Keys)
			assert.Equal(t, one.Outcome == signature.Verified, verified == (one.Cosign == ""), "we say %s (%s), and the corpus that cosign %s; it says: %s",
				one.Outcome, one.Reason, opinion(one), said)
		})
	}
}

func opinion(c corpus.Case) string {
	if c.Cosign == "" {
		return "agrees"
	}
	return "does not: " + c.Cosign
}

// pushOwn pushes an image and an index of it that no other test has.
func (f *front) pushOwn(t *testing.T, content string) (image, index name.Digest) {
	t.Helper()
	options := []remote.Option{remote.WithContext(patient(t))}
	if f.user != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: f.user, Password: f.secret}),
			remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}))
	}
	repository := ref(t, f.Host, "acme/signed:1").Context()
	one, all := corpus.NewIndex(t, content)
	require.NoError(t, remote.WriteIndex(repository.Tag("index"), all, options...))
	return byDigestOf(t, repository, one), byDigestOf(t, repository, all)
}

func byDigestOf(t *testing.T, repository name.Repository, x interface{ Digest() (v1.Hash, error) }) name.Digest {
	t.Helper()
	digest, err := x.Digest()
	require.NoError(t, err)
	return repository.Digest(digest.String())
}

// judge is what a client that knows nothing yet finds out.
func (f *front) judge(t *testing.T, c *cosign, image name.Digest, key keyPair) signature.Finding {
	t.Helper()
	keys, err := signature.ParseKeys(c.pem(key))
	require.NoError(t, err)
	verdict := signature.Verify(patient(t), f.client(t), image, f.keychain(), []signature.Authority{{Name: "release", Keys: keys}})
	return verdict.Findings[0]
}
