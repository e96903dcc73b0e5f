package policy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/signature"
)

// signer has a key pair, and signs with it.
type signer struct {
	private crypto.Signer
	pem     string
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &signer{private, publicPEM(t, private.Public())}
}

func publicPEM(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	encoded, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))
}

// id is that of the signer's key.
func (s *signer) id(t testing.TB) string {
	t.Helper()
	keys, err := signature.ParseKeys([]byte(s.pem))
	require.NoError(t, err)
	return keys[0].ID()
}

// signs is a signature of the digest, as it is found.
func (s *signer) signs(t testing.TB, digest string) signature.Signature {
	t.Helper()
	hash := sha256.Sum256([]byte(digest))
	signed, err := s.private.Sign(rand.Reader, hash[:], crypto.SHA256)
	require.NoError(t, err)
	return signature.Signature{Form: signature.Bundle, Source: "quay.io/acme/autosd@sha256:feed", Message: []byte(digest), Signed: signed}
}

// option makes a stored policy another one.
type option func(*v1alpha1.CatalogPolicy)

// stored is a policy of the name trusted that is for images of quay.io/acme.
func stored(options ...option) *v1alpha1.CatalogPolicy {
	p := &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "trusted", UID: "1", ResourceVersion: "1", Generation: 1},
		Spec:       v1alpha1.CatalogPolicySpec{Images: []v1alpha1.ImagePattern{{Glob: "quay.io/acme/**"}}},
	}
	for _, each := range options {
		each(p)
	}
	return p
}

func globs(globs ...string) option {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Spec.Images = nil
		for _, glob := range globs {
			p.Spec.Images = append(p.Spec.Images, v1alpha1.ImagePattern{Glob: glob})
		}
	}
}

func key(authority, data string) option {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{Name: authority, Key: v1alpha1.KeyRef{Data: data}})
	}
}

func secret(authority, name string) option {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{Name: authority, Key: v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: name}}})
	}
}

// observed is what the controller makes of a policy: it has read these keys.
func observed(keys ...v1alpha1.AuthorityKeys) option {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Status.ObservedGeneration = p.Generation
		p.Status.Keys = keys
	}
}

func platforms(wanted ...string) option {
	return func(p *v1alpha1.CatalogPolicy) { p.Spec.RequiredPlatforms = wanted }
}

func fields(wanted ...v1alpha1.MetadataField) option {
	return func(p *v1alpha1.CatalogPolicy) { p.Spec.RequiredMetadata = wanted }
}

func expression(text string) option { return expressionSaying(text, "") }

func expressionSaying(text, message string) option {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Spec.Validations = append(p.Spec.Validations, v1alpha1.Validation{Expression: text, Message: message})
	}
}

func namespaces(selector metav1.LabelSelector) option {
	return func(p *v1alpha1.CatalogPolicy) { p.Spec.NamespaceSelector = &selector }
}

func warn(p *v1alpha1.CatalogPolicy)            { p.Spec.Mode = v1alpha1.ModeWarn }
func signedPlatforms(p *v1alpha1.CatalogPolicy) { p.Spec.SignedPlatforms = true }

// read is a policy that can be read.
func read(t testing.TB, options ...option) *policy.Policy {
	t.Helper()
	p, err := policy.Read(stored(options...))
	require.NoError(t, err)
	return p
}

func repository(t testing.TB, text string) name.Repository {
	t.Helper()
	ref, err := name.ParseReference(text)
	require.NoError(t, err)
	return ref.Context()
}

func TestWhichImagesAPolicyIsFor(t *testing.T) {
	for image, patterns := range map[string]struct{ for_, notFor string }{ //nolint:revive // the other one is no keyword
		"quay.io/acme/autosd:1":                            {"quay.io/acme/*", "quay.io/acme"},
		"quay.io/acme/boards/rpi4:1":                       {"quay.io/acme/**", "quay.io/acme/*"},
		"quay.io/acme-evil/autosd:1":                       {"quay.io/**", "quay.io/acme/**"},
		"quay.io.evil.example/acme/autosd:1":               {"quay.io.evil.example/**", "quay.io/**"},
		"registry.example.com.evil.org/acme/autosd:1":      {"*.evil.org/**", "registry.example.com/**"},
		"evil.example/quay.io/acme/autosd:1":               {"evil.example/**", "quay.io/acme/**"},
		"quay.io/acme/os:1":                                {"quay.io./acme/*", "quay.io.example/acme/*"},
		"registry.example.com:5000/acme/autosd:1":          {"registry.example.com:5000/acme/*", "registry.example.com/acme/*"},
		"registry.example.com:443/acme/autosd:1":           {"registry.example.com/acme/*", "registry.example.com:5000/acme/*"},
		"registry.example.com/acme/autosd:1":               {"registry.example.com:443/acme/*", "registry.example.com:80/acme/*"},
		"nginx":                                            {"docker.io/nginx", "quay.io/nginx"},
		"index.docker.io/library/nginx@sha256:" + hexOf(1): {"docker.io/library/*", "docker.io/acme/*"},
		"acme/autosd":                                      {"docker.io/acme/*", "docker.io/library/*"},
	} {
		assert.True(t, read(t, globs("ghcr.io/other/*", patterns.for_), fields("distro")).SelectsImage(repository(t, image)), "%s %s", patterns.for_, image)
		assert.False(t, read(t, globs("ghcr.io/other/*", patterns.notFor), fields("distro")).SelectsImage(repository(t, image)), "%s %s", patterns.notFor, image)
	}
}

func hexOf(digit byte) string { return strings.Repeat(string('0'+digit), 64) }

func TestInWhichNamespacesAPolicyHolds(t *testing.T) {
	image, prod := repository(t, "quay.io/acme/autosd:1"), map[string]string{"stage": "prod"}
	everywhere := read(t, fields("distro"))
	assert.True(t, everywhere.Selects(image, nil))
	assert.False(t, everywhere.Selects(repository(t, "ghcr.io/acme/autosd"), nil))

	inProd := read(t, fields("distro"), namespaces(metav1.LabelSelector{MatchLabels: prod}))
	assert.True(t, inProd.Selects(image, prod))
	assert.False(t, inProd.Selects(image, map[string]string{"stage": "dev"}))
	assert.False(t, inProd.Selects(image, nil))
	assert.True(t, inProd.SelectsImage(image))

	elsewhere := read(t, fields("distro"), namespaces(metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "stage", Operator: metav1.LabelSelectorOpDoesNotExist}},
	}))
	assert.True(t, elsewhere.Selects(image, nil), "of a namespace without labels, or of which they are not known")
	assert.False(t, elsewhere.Selects(image, prod))
}

func rsaPEM(t testing.TB, bits int) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return publicPEM(t, private.Public())
}

// TestWhatCannotBeRead has every error with its path. Nothing that cannot be read is ever satisfied.
func TestWhatCannotBeRead(t *testing.T) {
	private, err := x509.MarshalECPrivateKey(newSigner(t).private.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	privatePEM := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	good := newSigner(t).pem
	for title, test := range map[string]struct {
		spec []option
		said string
	}{
		"a glob with a scheme":  {[]option{globs("quay.io/acme/*", "https://quay.io/*"), fields("os")}, `invalid value: https://quay.io/*: spec.images[1].glob` + "\n" + `"https://quay.io/*" has a scheme: leave out what is before the host`},
		"a glob in upper case":  {[]option{globs("Quay.io/acme/*"), fields("os")}, `spec.images[0].glob` + "\n" + `"Quay.io/acme/*" has characters that no repository has`},
		"a glob with a tag":     {[]option{globs("quay.io/acme/autosd:1"), fields("os")}, "leave out the tag"},
		"a glob of a host":      {[]option{globs("quay.io"), fields("os")}, "names no repository"},
		"a glob without a host": {[]option{globs("acme/autosd"), fields("os")}, "begins with no host: write docker.io/acme/autosd"},
		"a glob of any port":    {[]option{globs("quay.io:x/acme/*"), fields("os")}, "spec.images[0].glob"},
		"a selector that is none": {[]option{fields("os"), namespaces(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "stage", Operator: "Near"}}})},
			`"Near" is not a valid label selector operator: spec.namespaceSelector`},
		"a label that is none":    {[]option{fields("os"), namespaces(metav1.LabelSelector{MatchLabels: map[string]string{"a b": "c"}})}, "spec.namespaceSelector"},
		"a private key":           {[]option{key("ok", good), key("leak", privatePEM)}, "no public key: spec.authorities[1].key.data\nkey 1: it is a private key, which belongs nowhere but to the signer"},
		"a small RSA key":         {[]option{key("old", rsaPEM(t, 1024))}, "spec.authorities[0].key.data\nkey 1: it is of RSA with 1024 bits, and 2048, 3072 or 4096 are accepted"},
		"no PEM":                  {[]option{key("odd", "ssh-rsa AAAA")}, "there is no PEM block where key 1 should begin"},
		"half a PEM":              {[]option{key("odd", good[:len(good)/2])}, "the PEM block of key 1 cannot be read"},
		"a second key is bad":     {[]option{key("odd", good+"garbage")}, "there is no PEM block where key 2 should begin"},
		"no key at all":           {[]option{key("odd", "")}, "no public key: spec.authorities[0].key.data\nit holds no key"},
		"a key in the status":     {[]option{secret("release", "release-key"), observed(v1alpha1.AuthorityKeys{Authority: "release", Data: "damaged"})}, "no public key: spec.authorities[0].key.secretRef"},
		"a platform that is none": {[]option{platforms("linux/arm64", "arm64")}, "invalid value: arm64: spec.requiredPlatforms[1]"},
		"an expression":           {[]option{expression("true"), expression("entry.spec.chanel == 'prod'")}, "no expression of CEL: spec.validations[1].expression\nline 1, column 11: undefined field 'chanel'"},
		"nothing is asked for":    {nil, "say what the images need: authorities, requiredPlatforms, requiredMetadata or validations: spec"},
		"whose signatures":        {[]option{signedPlatforms, fields("os")}, "say in authorities whose signature the platforms need: spec.signedPlatforms"},
	} {
		t.Run(title, func(t *testing.T) {
			bad := stored(test.spec...)
			p, err := policy.Read(bad)
			var problems *apis.FieldError
			require.ErrorAs(t, err, &problems)
			assert.ErrorContains(t, err, test.said)
			require.NotNil(t, p, "it is judged by, all the same")
			if bad.Status.Keys == nil {
				assert.EqualError(t, policy.Validate(bad), err.Error())
			}
			if len(bad.Spec.Authorities) < 2 && !strings.Contains(err.Error(), "glob") && !strings.Contains(err.Error(), "Selector") {
				verdict := p.Judge(entry(), none)
				assert.NotEqual(t, v1alpha1.PolicySatisfied, verdict.Outcome, verdict.Checks)
			}
		})
	}
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	problems := policy.Validate(stored(globs("x", "y"), key("a", "none"), platforms("arm64"), expression("1"), expression("2")))
	for _, path := range []string{"spec.images[0].glob", "spec.images[1].glob", "spec.authorities[0].key.data", "spec.requiredPlatforms[0]", "spec.validations[0].expression", "spec.validations[1].expression"} {
		assert.ErrorContains(t, problems, path)
	}
}

// An error is of the type that it is: a nil *apis.FieldError in an error would be one.
func TestNoErrorIsNone(t *testing.T) {
	p, err := policy.Read(stored(fields("distro")))
	assert.True(t, err == nil)
	assert.NotNil(t, p)
	assert.Nil(t, policy.Validate(stored(fields("distro"))))
}

func TestKeysOfAllKinds(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	text := newSigner(t).pem + rsaPEM(t, 2048) + publicPEM(t, ed)
	authorities := read(t, key("release", text), key("nightly", newSigner(t).pem)).Authorities()
	require.Len(t, authorities, 2)
	assert.Equal(t, "release", authorities[0].Name)
	assert.Len(t, authorities[0].Keys, 3)
	assert.Len(t, authorities[1].Keys, 1)
}

func TestKeysInSecretsComeFromTheStatus(t *testing.T) {
	release := newSigner(t)
	waiting := stored(secret("release", "release-key"))
	p, err := policy.Read(waiting)
	require.ErrorIs(t, err, policy.ErrKeysNotRead)
	assert.True(t, p.Selects(repository(t, "quay.io/acme/autosd"), nil), "which images wait is known")
	assert.False(t, p.Selects(repository(t, "quay.io/other/autosd"), nil))
	assert.Equal(t, v1alpha1.PolicyUnknown, p.Judge(entry(), none).Outcome)
	assert.Nil(t, policy.Validate(waiting), "the Secret may come later")

	there := read(t, secret("release", "release-key"), fields("distro"), observed(v1alpha1.AuthorityKeys{Authority: "release", Data: release.pem}))
	require.Len(t, there.Authorities(), 1)
	assert.Equal(t, release.id(t), there.Authorities()[0].Keys[0].ID())

	absent := read(t, secret("release", "release-key"), observed())
	assert.Empty(t, absent.Authorities())
	assert.True(t, absent.WantsSignatures())

	others := read(t, secret("release", "release-key"), observed(v1alpha1.AuthorityKeys{Authority: "nightly", Data: release.pem}))
	assert.Empty(t, others.Authorities(), "another authority's keys are no keys of this one")

	changed := stored(secret("release", "release-key"), observed(v1alpha1.AuthorityKeys{Authority: "release", Data: release.pem}))
	changed.Generation++
	_, err = policy.Read(changed)
	require.ErrorIs(t, err, policy.ErrKeysNotRead, "the keys may be those of another Secret")
}

// A policy without Secrets needs no controller to be judged by.
func TestKeysInTheSpecAreThereAtOnce(t *testing.T) {
	p := stored(key("release", newSigner(t).pem))
	p.Generation = 7
	_, err := policy.Read(p)
	assert.NoError(t, err)
}

// The revision tells apart what may judge differently, and nothing else.
func TestTheRevision(t *testing.T) {
	base := read(t, key("release", newSigner(t).pem)).Revision
	one := newSigner(t)
	same := []option{secret("release", "release-key"), observed(v1alpha1.AuthorityKeys{Authority: "release", Data: one.pem})}
	first := read(t, same...)
	with := func(another option) []option { return append(slices.Clone(same), another) }
	counted := with(func(p *v1alpha1.CatalogPolicy) {
		p.Status.Selected, p.Status.Satisfied, p.ResourceVersion, p.Labels = 7, 6, "9", map[string]string{"a": "b"}
		p.Status.MarkValid()
	})
	assert.Equal(t, first.Revision, read(t, counted...).Revision)
	revisions := map[string]bool{base: true, first.Revision: true}
	for _, other := range [][]option{
		{secret("release", "release-key"), observed(v1alpha1.AuthorityKeys{Authority: "release", Data: newSigner(t).pem})},
		{secret("release", "release-key"), observed()},
		with(warn), with(fields("distro")), with(globs("quay.io/acme/*")), with(expression("true")),
	} {
		revisions[read(t, other...).Revision] = true
	}
	assert.Len(t, revisions, 8)
	for revision := range revisions {
		assert.Regexp(t, `^[0-9a-f]{8,64}$`, revision)
	}
}

func TestModes(t *testing.T) {
	enforcing := read(t, fields("distro"))
	assert.True(t, enforcing.Enforced())
	assert.Equal(t, v1alpha1.ModeEnforce, enforcing.Mode, "which is never empty")
	warning := read(t, fields("distro"), warn)
	assert.False(t, warning.Enforced())
	assert.Equal(t, v1alpha1.ModeWarn, warning.Mode)
	assert.Equal(t, v1alpha1.PolicyViolated, warning.Judge(entry(), none).Outcome, "what it says is the same")
}

// FuzzRead reads policies of arbitrary texts, and judges by what was read.
func FuzzRead(f *testing.F) {
	good := newSigner(f)
	for _, seed := range [][3]string{
		{"quay.io/acme/**", good.pem, "entry.spec.channel == 'prod'"}, {"*", "", ""}, {"[::1]:5000/*", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "1/0 == 1"},
		{"docker.io/nginx", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "entry.spec.tags.all(t, t.matches('['))"},
		{"quay.io/***", good.pem + good.pem, "[[1]].map(x, x + x).exists(x, x == x)"}, {"a.b/c//d", "\xff", "'\\xff' == entry"},
		{"quay.io/acme/**", good.pem, "entry.metadata.annotations['a'].split(',')[0].lowerAscii() in entry.spec.tags"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, glob, keys, text string) {
		written := stored(globs(glob), key("a", keys), secret("b", "b"), expression(text), platforms(glob), observed(v1alpha1.AuthorityKeys{Authority: "b", Data: keys}))
		p, err := policy.Read(written)
		var problems *apis.FieldError
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("an error without a path: %v", err)
		}
		for _, image := range []*v1alpha1.CatalogImage{{}, entry()} {
			verdict := p.Judge(image, func(digest string) *signature.Evidence {
				return &signature.Evidence{Digest: digest, Signatures: []signature.Signature{good.signs(t, digest)}}
			})
			if len(problems.Filter(apis.ErrorLevel).WrappedErrors()) > 0 && strings.Contains(err.Error(), "validations") {
				assert.NotEqual(t, v1alpha1.PolicySatisfied, verdict.Outcome)
			}
			assertPlain(t, verdict)
		}
		p.SelectsImage(repository(t, "quay.io/acme/autosd"))
	})
}
