package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"imagecatalog.dev/catalog/pkg/verify"
)

// key signs, and has a public half as PEM.
type key struct {
	private *ecdsa.PrivateKey
	public  string
}

func newKey(t *testing.T) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	return key{private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))}
}

// sign puts a signature of acme/os with the digest under its signature tag, as simple signing does.
func (b *bench) sign(by key, digest string) {
	b.t.Helper()
	payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, digest)
	hash := sha256.Sum256([]byte(payload))
	signed, err := by.private.Sign(rand.Reader, hash[:], nil)
	require.NoError(b.t, err)
	artifact, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer([]byte(payload), "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signed)},
	})
	require.NoError(b.t, err)
	tag, err := name.NewTag(b.host + "/acme/os:" + strings.Replace(digest, ":", "-", 1) + ".sig")
	require.NoError(b.t, err)
	require.NoError(b.t, remote.Write(tag, artifact))
}

func TestSigned(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64, amd64)
	release := newKey(t)
	options := verify.Options{ImageURL: b.host + "/acme/os:1", ImageDigest: digest, PublicKey: release.public}

	verdict := b.verify(options)
	assert.Equal(t, verify.NotVerified, verdict.Outcome)
	assert.Equal(t, "Unsigned", b.result("REASON"))
	assert.Equal(t, "false", b.result("SIGNATURES_VERIFIED"))
	assert.Contains(t, b.result("TEST_OUTPUT"), `"result":"FAILURE"`)
	assert.Contains(t, verdict.Message, "is not signed: the image has no signature; sign it with the private key that belongs to PUBLIC_KEY: cosign sign --key cosign.key "+b.host+"/acme/os@"+digest)

	b.sign(release, digest)
	verdict = b.verify(options)
	assert.Equal(t, verify.Verified, verdict.Outcome, verdict)
	assert.Equal(t, "true", b.result("SIGNATURES_VERIFIED"))
	assert.Contains(t, b.result("TEST_OUTPUT"), `"successes":3`)
	assert.Regexp(t, `ok +signature `+digest+` is signed with the key sha256:`, b.log.String())

	options.PublicKey = newKey(t).public
	verdict = b.verify(options)
	assert.Equal(t, verify.NotVerified, verdict.Outcome)
	assert.Equal(t, "KeyMismatch", b.result("REASON"))
	assert.Contains(t, verdict.Message, "; or correct PUBLIC_KEY")

	options.PublicKey = ""
	verdict = b.verify(options)
	assert.Equal(t, verify.Verified, verdict.Outcome)
	assert.Equal(t, "false", b.result("SIGNATURES_VERIFIED"), "nobody asked")
}

// What is judged is the image that was found and is named in the results, not what the tag names later.
func TestTagMovesWhileItIsVerified(t *testing.T) {
	b := newBench(t)
	release := newKey(t)
	signed := b.push(arm64)
	b.sign(release, signed)
	evil := b.push(amd64)
	asked := 0
	b.inject(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifests/1") {
			if asked++; asked > 1 { // whoever asks twice finds the signed image behind the tag
				r.URL.Path = strings.TrimSuffix(r.URL.Path, "1") + signed
			}
		}
		return false
	})
	verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1", PublicKey: release.public})
	assert.Equal(t, verify.NotVerified, verdict.Outcome, verdict)
	assert.Equal(t, "Unsigned", verdict.Reason)
	assert.Equal(t, b.host+"/acme/os@"+evil, b.result("PINNED_REF"))
}

func TestSignedPlatforms(t *testing.T) {
	b := newBench(t)
	release := newKey(t)
	index := b.push(arm64, amd64)
	b.sign(release, index)
	options := verify.Options{ImageURL: b.host + "/acme/os:1", PublicKey: release.public, SignedPlatforms: true}
	verdict := b.verify(options)
	assert.Equal(t, "Unsigned", verdict.Reason, "the platforms are not signed by themselves")
	assert.Equal(t, 2, verdict.Failures, "it looks at both")
	assert.Equal(t, "false", b.result("SIGNATURES_VERIFIED"))

	manifests := b.platforms()
	b.sign(release, manifests[0])
	assert.Equal(t, 1, b.verify(options).Failures)
	options.Platforms = []string{"linux/arm64"}
	assert.Equal(t, verify.Verified, b.verify(options).Outcome, "the platform that is asked for is signed")
	assert.Equal(t, "true", b.result("SIGNATURES_VERIFIED"))

	options.SignedPlatforms, options.Platforms = false, nil
	assert.Equal(t, verify.Verified, b.verify(options).Outcome)
}

// platforms are the digests of the images in acme/os:1.
func (b *bench) platforms() []string {
	b.t.Helper()
	ref, err := name.ParseReference(b.host + "/acme/os:1")
	require.NoError(b.t, err)
	index, err := remote.Index(ref)
	require.NoError(b.t, err)
	manifest, err := index.IndexManifest()
	require.NoError(b.t, err)
	return digests(manifest.Manifests)
}

// configurations are the digests of those of the images in acme/os:1.
func (b *bench) configurations() (all []string) {
	b.t.Helper()
	for _, digest := range b.platforms() {
		ref, err := name.NewDigest(b.host + "/acme/os@" + digest)
		require.NoError(b.t, err)
		image, err := remote.Image(ref)
		require.NoError(b.t, err)
		config, err := image.ConfigName()
		require.NoError(b.t, err)
		all = append(all, config.String())
	}
	return all
}

func digests(descriptors []v1.Descriptor) []string {
	all := make([]string, len(descriptors))
	for i := range descriptors {
		all[i] = descriptors[i].Digest.String()
	}
	return all
}

func TestSignatureWithoutAnAnswer(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	b.inject(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".sig") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os@" + digest, PublicKey: newKey(t).public})
	assert.Equal(t, verify.Undecided, verdict.Outcome)
	assert.Equal(t, 2, verdict.ExitCode(false))
	assert.Equal(t, "Forbidden", b.result("REASON"))
	assert.Equal(t, "false", b.result("SIGNATURES_VERIFIED"))
	assert.Contains(t, b.result("TEST_OUTPUT"), `"result":"ERROR"`)
}

// secrets stand for a cluster.
type secrets map[string]string

func (s secrets) Get(_ context.Context, namespace, secretName string) (*corev1.Secret, error) {
	resource := schema.GroupResource{Resource: "secrets"}
	switch text, ok := s[namespace+"/"+secretName]; {
	case namespace == "foreign":
		return nil, apierrors.NewForbidden(resource, secretName, nil)
	case namespace == "down":
		return nil, errors.New("connection refused")
	case !ok:
		return nil, apierrors.NewNotFound(resource, secretName)
	default:
		return &corev1.Secret{Data: map[string][]byte{"cosign.pub": []byte(text), "cosign.key": nil}}, nil
	}
}

func TestWhereThePublicKeyIs(t *testing.T) {
	b := newBench(t)
	release := newKey(t)
	b.sign(release, b.push(arm64))
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "..2026"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "..2026", "cosign.pub"), []byte(release.public), 0o600))
	require.NoError(t, os.Symlink(filepath.Join("..2026", "cosign.pub"), filepath.Join(dir, "cosign.pub"))) // as the kubelet mounts
	outside := filepath.Join(t.TempDir(), "cosign.pub")
	require.NoError(t, os.WriteFile(outside, []byte(release.public), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "away.pub")))
	b.secrets = secrets{"team/release": release.public, "team/private": "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"}

	for title, test := range map[string]struct {
		key, dir string
		outcome  verify.Outcome
		reason   string
		says     string
	}{
		"PEM":                {release.public + "\n", "", verify.Verified, "Verified", ""},
		"several":            {newKey(t).public + release.public, "", verify.Verified, "Verified", ""},
		"file":               {"cosign.pub", dir, verify.Verified, "Verified", ""},
		"Secret":             {"k8s://team/release", "", verify.Verified, "Verified", ""},
		"forgotten":          {"", dir, verify.BadParams, "BadParams", "param PUBLIC_KEY: it is empty, though the workspace public-key is bound"},
		"no such file":       {"release.pub", dir, verify.BadParams, "BadParams", "release.pub"},
		"file out of it":     {"../cosign.pub", dir, verify.BadParams, "BadParams", "leads out of the workspace public-key"},
		"link out of it":     {"away.pub", dir, verify.BadParams, "BadParams", "away.pub"},
		"absolute file":      {outside, dir, verify.BadParams, "BadParams", "leads out of the workspace public-key"},
		"no workspace":       {"cosign.pub", "", verify.BadParams, "BadParams", "the workspace public-key is not bound"},
		"no PEM":             {"-----BEGIN PUBLIC KEY-----", "", verify.BadParams, "BadParams", "the PEM block of key 1 cannot be read; give the public key"},
		"private key":        {"k8s://team/private", "", verify.BadParams, "BadParams", "in the Secret team/private: key 1: it is a private key"},
		"no such Secret":     {"k8s://team/other", "", verify.BadParams, "BadParams", "there is no Secret team/other"},
		"no Secret":          {"k8s://release", "", verify.BadParams, "BadParams", `"k8s://release" names no Secret; write k8s://NAMESPACE/SECRET`},
		"part of a Secret":   {"k8s://team/release/cosign.pub", "", verify.BadParams, "BadParams", "names no Secret"},
		"foreign Secret":     {"k8s://foreign/release", "", verify.Undecided, "KeyForbidden", "may not read the Secret foreign/release"},
		"no answer":          {"k8s://down/release", "", verify.Undecided, "KeyUnavailable", "connection refused"},
		"platforms, no key":  {"", "", verify.BadParams, "BadParams", "param SIGNED_PLATFORMS: it is true, and PUBLIC_KEY is empty"},
		"key of other image": {newKey(t).public, "", verify.NotVerified, "KeyMismatch", "none of the signatures"},
	} {
		t.Run(title, func(t *testing.T) {
			b.keyDir = test.dir
			verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1", PublicKey: test.key, SignedPlatforms: title == "platforms, no key"})
			assert.Equal(t, test.outcome, verdict.Outcome, verdict)
			assert.Equal(t, test.reason, verdict.Reason)
			assert.Contains(t, verdict.Message, test.says)
			assert.Equal(t, fmt.Sprint(test.outcome == verify.Verified), b.result("SIGNATURES_VERIFIED"))
		})
	}
}
