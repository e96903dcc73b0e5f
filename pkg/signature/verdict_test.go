package signature

import (
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

var image = mustDigest("registry.example.com/acme/os@sha256:" + strings.Repeat("a", 64))

func mustDigest(text string) name.Digest {
	digest, err := name.NewDigest(text)
	if err != nil {
		panic(err)
	}
	return digest
}

// newAuthority is an authority with one key, and its signing hand.
func newAuthority(t testing.TB, title string) (Authority, func(message string) []byte) {
	t.Helper()
	private := newECDSA(t, elliptic.P256())
	keys, err := ParseKeys([]byte(encoded(t, private.Public())))
	require.NoError(t, err)
	return Authority{Name: title, Keys: keys}, func(message string) []byte {
		hash := sha256.Sum256([]byte(message))
		signed, err := private.Sign(rand.Reader, hash[:], nil)
		require.NoError(t, err)
		return signed
	}
}

// tagged is a registry with signatures under the signature tag and no referrers. It counts what it is asked.
type tagged struct {
	layers    []registry.ArtifactLayer
	referrers error
	asked     int
}

func (r *tagged) Referrers(context.Context, name.Digest, authn.Keychain) ([]registry.Referrer, error) {
	r.asked++
	return nil, r.referrers
}

func (r *tagged) Artifact(_ context.Context, ref name.Reference, _ authn.Keychain) (*registry.Artifact, error) {
	r.asked++
	if ref.Identifier() != "sha256-"+strings.Repeat("a", 64)+".sig" {
		return nil, &registry.Error{Reason: registry.NotFound, Err: errors.New("HTTP 404")}
	}
	return &registry.Artifact{Layers: r.layers}, nil
}

func layerBy(sign func(string) []byte) registry.ArtifactLayer {
	content := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"a.io/b"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, image.DigestStr())
	return registry.ArtifactLayer{
		MediaType: simpleSigningMediaType, Content: []byte(content),
		Annotations: map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(sign(content))},
	}
}

func TestVerifyByAuthority(t *testing.T) {
	first, signFirst := newAuthority(t, "first")
	second, signSecond := newAuthority(t, "second")
	third, _ := newAuthority(t, "third")
	both := &tagged{layers: []registry.ArtifactLayer{layerBy(signFirst), layerBy(signSecond)}}
	one := &tagged{layers: []registry.ArtifactLayer{layerBy(signSecond)}}
	down := &tagged{layers: one.layers, referrers: &registry.Error{Reason: registry.Throttled, Err: errors.New("HTTP 429")}}
	keyless := Authority{Name: "keyless"}
	for title, test := range map[string]struct {
		from        *tagged
		authorities []Authority
		outcome     Outcome
		reasons     []Reason
	}{
		"both":             {both, []Authority{first, second}, Verified, []Reason{Signed, Signed}},
		"one of two":       {one, []Authority{first, second}, Verified, []Reason{KeyMismatch, Signed}},
		"neither":          {both, []Authority{third}, NotVerified, []Reason{KeyMismatch}},
		"not even asked":   {both, []Authority{third, keyless}, NotVerified, []Reason{KeyMismatch, NoAuthority}},
		"nobody":           {both, nil, NotVerified, []Reason{NoAuthority}},
		"nobody with keys": {both, []Authority{keyless}, NotVerified, []Reason{NoAuthority}},
		"trouble":          {down, []Authority{first, second}, Verified, []Reason{Reason(registry.Throttled), Signed}},
		"only trouble":     {down, []Authority{first}, Unknown, []Reason{Reason(registry.Throttled)}},
		"trouble, no keys": {down, []Authority{keyless, first}, Unknown, []Reason{NoAuthority, Reason(registry.Throttled)}},
	} {
		t.Run(title, func(t *testing.T) {
			verdict := Verify(t.Context(), test.from, image, nil, test.authorities)
			assert.Equal(t, test.outcome, verdict.Outcome, verdict)
			var reasons []Reason
			for i, finding := range verdict.Findings {
				reasons = append(reasons, finding.Reason)
				if len(test.authorities) > 0 {
					assert.Equal(t, test.authorities[i].Name, finding.Authority)
				}
			}
			assert.Equal(t, test.reasons, reasons)
		})
	}
}

// Evidence is judged again, by other keys, without a request.
func TestJudgeAgain(t *testing.T) {
	first, sign := newAuthority(t, "first")
	second, _ := newAuthority(t, "second")
	from := &tagged{layers: []registry.ArtifactLayer{layerBy(sign)}}
	evidence := Collect(t.Context(), from, image, nil, nil)
	asked := from.asked
	assert.Equal(t, NotVerified, Judge(evidence, []Authority{second}).Outcome)
	assert.Equal(t, Verified, Judge(evidence, []Authority{{Name: "both", Keys: append(second.Keys, first.Keys...)}}).Outcome)
	assert.Equal(t, asked, from.asked)
}

func TestNobodyIsAskedForNobody(t *testing.T) {
	from := &tagged{}
	assert.Equal(t, NotVerified, Verify(t.Context(), from, image, nil, nil).Outcome)
	assert.Zero(t, from.asked)
}

// A digest that no tag has room for has no signature tag.
func TestLongDigest(t *testing.T) {
	from := &tagged{}
	long := mustDigest("registry.example.com/acme/os@sha512:" + strings.Repeat("a", 128))
	authority, _ := newAuthority(t, "first")
	assert.Equal(t, Unsigned, Verify(t.Context(), from, long, nil, []Authority{authority}).Findings[0].Reason)
	assert.Equal(t, 1, from.asked, "the referrers")
}

func TestTexts(t *testing.T) {
	authority, sign := newAuthority(t, "first")
	stranger, _ := newAuthority(t, "stranger")
	layer := layerBy(sign)
	broken := layer
	broken.Annotations = nil
	foreign := layer
	foreign.Content = []byte(strings.ReplaceAll(string(layer.Content), "aaa", "bbb"))
	tag := image.Context().Name() + ":sha256-" + strings.Repeat("a", 64) + ".sig"
	for want, test := range map[string]struct {
		authority Authority
		layers    []registry.ArtifactLayer
	}{
		"signed with the key " + authority.Keys[0].ID() + ", simple signing " + tag + ", as a.io/b": {authority, []registry.ArtifactLayer{broken, layer}},
		"none of the signatures that are there (2) was made with the key " + stranger.Keys[0].ID():  {stranger, []registry.ArtifactLayer{layer, layer}},
		"was made with one of its 2 keys": {Authority{Keys: append(stranger.Keys, stranger.Keys...)}, []registry.ArtifactLayer{layer}},
		"what is there is no signature of the image: " + tag + `: it is of another image, "sha256:bbb`: {authority, []registry.ArtifactLayer{broken, foreign}},
		"(and 1 more that are none)": {authority, []registry.ArtifactLayer{broken, foreign}},
		"the image has no signature": {authority, nil},
	} {
		verdict := Verify(t.Context(), &tagged{layers: test.layers}, image, nil, []Authority{test.authority})
		assert.Contains(t, verdict.Findings[0].Text, want)
	}
}

// One signature of each group is enough, whoever of the group it is by; and a group of nobody is waited for by nobody.
func TestEnough(t *testing.T) {
	first, byFirst := newAuthority(t, "first")
	second, bySecond := newAuthority(t, "second")
	third, _ := newAuthority(t, "third")
	by := func(hand func(string) []byte) Signature { return Signature{Message: []byte("m"), Signed: hand("m")} }

	enough := Enough([]Authority{first, third}, nil, []Authority{second})
	assert.False(t, enough(by(byFirst)))
	assert.False(t, enough(by(byFirst)), "the second group still has none")
	assert.True(t, enough(by(bySecond)))

	enough = Enough([]Authority{third})
	assert.False(t, enough(by(byFirst)))
	assert.True(t, Enough(nil)(by(byFirst)), "nobody asks for more")
}
