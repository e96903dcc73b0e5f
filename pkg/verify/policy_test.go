package verify_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/verify"
)

// policies stand for the catalog's client.
type policies map[string]*v1alpha1.CatalogPolicy

func (p policies) Get(_ context.Context, namespace, policyName string) (*v1alpha1.CatalogPolicy, error) {
	resource := schema.GroupResource{Group: "imagecatalog.dev", Resource: "catalogpolicies"}
	switch policy := p[policyName]; {
	case namespace != "":
		return nil, errors.New("policies have no namespace")
	case policyName == "forbidden":
		return nil, apierrors.NewForbidden(resource, policyName, nil)
	case policyName == "down":
		return nil, errors.New("connection refused")
	case policy == nil:
		return nil, apierrors.NewNotFound(resource, policyName)
	default:
		return policy, nil
	}
}

// policy is one of the images in acme, as it is edited.
func (b *bench) policy(edits ...func(*v1alpha1.CatalogPolicy)) *v1alpha1.CatalogPolicy {
	policy := &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "release", Generation: 2},
		Spec:       v1alpha1.CatalogPolicySpec{Images: []v1alpha1.ImagePattern{{Glob: b.host + "/acme/*"}}},
	}
	policy.Status.ObservedGeneration = 2
	for _, edit := range edits {
		edit(policy)
	}
	return policy
}

func signedBy(keys ...string) func(*v1alpha1.CatalogPolicy) {
	return func(p *v1alpha1.CatalogPolicy) {
		for i, key := range keys {
			p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{Name: []string{"team", "partner"}[i], Key: v1alpha1.KeyRef{Data: key}})
		}
	}
}

func inSecret(name, read string) func(*v1alpha1.CatalogPolicy) {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{Name: "secret", Key: v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: name}}})
		if read != "" {
			p.Status.Keys = append(p.Status.Keys, v1alpha1.AuthorityKeys{Authority: "secret", Data: read})
		}
	}
}

func warning(p *v1alpha1.CatalogPolicy) { p.Spec.Mode = v1alpha1.ModeWarn }

func platforms(wanted ...string) func(*v1alpha1.CatalogPolicy) {
	return func(p *v1alpha1.CatalogPolicy) { p.Spec.RequiredPlatforms = wanted }
}

func expression(text, message string) func(*v1alpha1.CatalogPolicy) {
	return func(p *v1alpha1.CatalogPolicy) {
		p.Spec.Validations = append(p.Spec.Validations, v1alpha1.Validation{Expression: text, Message: message})
	}
}

func metadata(fields ...v1alpha1.MetadataField) func(*v1alpha1.CatalogPolicy) {
	return func(p *v1alpha1.CatalogPolicy) { p.Spec.RequiredMetadata = fields }
}

func TestPolicy(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64, amd64)
	release, stranger := newKey(t), newKey(t)
	b.sign(release, digest)
	b.secrets = secrets{"team/release": release.public, "image-catalog/release": release.public}
	for title, test := range map[string]struct {
		policy  *v1alpha1.CatalogPolicy
		outcome verify.Outcome
		reason  string
		signed  bool
		says    string // the line of the log
	}{
		"signed": {
			b.policy(signedBy(release.public)), verify.Verified, "Verified", true,
			`ok +policy +release: signature: ` + digest + `: team: signed with the key sha256:`,
		},
		"signed by one of two": {
			b.policy(signedBy(stranger.public, release.public)), verify.Verified, "Verified", true, `ok +policy +release: signature: ` + digest + `: partner: signed`,
		},
		"signed by another": {
			b.policy(signedBy(stranger.public)), verify.NotVerified, "KeyMismatch", false,
			`FAILED +policy +release: signature: .*: team: none of the signatures that are there \(1\) was made with .*; sign it with the key of an authority of the policy: cosign sign --key cosign.key ` + b.host + `/acme/os@` + digest,
		},
		"a key from a Secret": {b.policy(inSecret("release", release.public)), verify.Verified, "Verified", true, `ok +policy +release: signature`},
		"no key from a Secret": {
			b.policy(inSecret("release", "")), verify.Undecided, "KeyUnavailable", false,
			`ERROR +policy +release: signature: .*: secret: there is no public key in the Secret release: the status of the policy says why`,
		},
		"no key from a Secret, and one that signed": {
			b.policy(signedBy(release.public), inSecret("other", "")), verify.Verified, "Verified", true, `ok +policy +release: signature: .*: team: signed`,
		},
		"keys not read yet": {
			b.policy(inSecret("release", release.public), func(p *v1alpha1.CatalogPolicy) { p.Generation++ }), verify.Undecided, "KeyUnavailable", false,
			`ERROR +policy +release: the keys of the policy were not read from their Secrets yet: run again`,
		},
		"platforms not signed": {
			b.policy(signedBy(release.public), func(p *v1alpha1.CatalogPolicy) { p.Spec.SignedPlatforms = true }), verify.NotVerified, "Unsigned", false,
			`FAILED +policy +release: signature: .*: team: the image has no signature; .*cosign sign --key cosign.key --recursive `,
		},
		"platforms": {
			b.policy(platforms("linux/arm64", "linux/amd64")), verify.Verified, "Verified", false, `ok +policy +release: platform: linux/arm64\nok +policy +release: platform: linux/amd64\n`,
		},
		"a platform is missing": {
			b.policy(signedBy(release.public), platforms("linux/arm64", "linux/arm/v7")), verify.NotVerified, "PlatformMissing", true,
			`ok +policy +release: signature.*\nok +policy +release: platform: linux/arm64\nFAILED +policy +release: platform: it is not built for linux/arm/v7, but for linux/arm64, linux/amd64; build it for that, too\n`,
		},
		"metadata that only an entry has": {
			b.policy(metadata(v1alpha1.FieldArchitecture, v1alpha1.FieldDistro)), verify.NotVerified, "MetadataMissing", false,
			`ok +policy +release: metadata: architecture is given\nFAILED +policy +release: metadata: spec.metadata.distro is not given: .*; what only an entry of the catalog says is missing here: give its NAME instead of IMAGE_URL`,
		},
		"an expression": {
			b.policy(expression(`entry.status.digest == '`+digest+`' && entry.spec.image.startsWith('`+b.host+`/acme/') && entry.status.platforms.exists(p, p.architecture == 'arm64') && entry.status.sizeBytes > 0`, "")),
			verify.Verified, "Verified", false, `ok +policy +release: validation: true: `,
		},
		"an expression that is not true": {
			b.policy(expression(`entry.spec.channel == 'prod'`, "promote the image to prod")), verify.NotVerified, "ValidationFailed", false,
			`FAILED +policy +release: validation: promote the image to prod; what only an entry`,
		},
		"several things": {
			b.policy(signedBy(stranger.public), platforms("linux/arm64"), expression(`entry.spec.channel == 'prod'`, "")), verify.NotVerified, "KeyMismatch", false,
			`FAILED +policy +release: signature.*\nok +policy +release: platform.*\nFAILED +policy +release: validation`,
		},
		"unknown, and violated": {
			b.policy(inSecret("release", ""), platforms("linux/arm/v7")), verify.NotVerified, "PlatformMissing", false,
			`ERROR +policy +release: signature.*\nFAILED +policy +release: platform`,
		},
		"warnings": {
			b.policy(warning, signedBy(stranger.public), platforms("linux/arm64", "linux/arm/v7")), verify.Verified, "Verified", false,
			`warning +policy +release: signature.*\nok +policy +release: platform: linux/arm64\nwarning +policy +release: platform: it is not built for`,
		},
		"asks for nothing": {
			b.policy(), verify.Undecided, "PolicyInvalid", false, `ERROR +policy +the policy release cannot be read \(say what the images need: .*\): correct it`,
		},
		"has no authorities": {
			b.policy(func(p *v1alpha1.CatalogPolicy) { p.Spec.Authorities = []v1alpha1.Authority{} }), verify.Undecided, "PolicyInvalid", false, `say what the images need`,
		},
		"an authority without a key": {
			b.policy(signedBy("")), verify.Undecided, "PolicyInvalid", false, `ERROR +policy +the policy release cannot be read \(.*spec.authorities\[0\].key.data it holds no key\): correct it`,
		},
		"no key": {
			b.policy(signedBy("key")), verify.Undecided, "PolicyInvalid", false, `ERROR +policy +the policy release cannot be read \(.*spec.authorities\[0\].key.data.*\): correct it`,
		},
		"no platform": {b.policy(platforms("arm64")), verify.Undecided, "PolicyInvalid", false, `spec.requiredPlatforms\[0\]`},
		"no expression": {
			b.policy(warning, expression("entry.nothing", "")), verify.Undecided, "PolicyInvalid", false, `ERROR +policy +the policy release cannot be read \(.*spec.validations\[0\].expression`,
		},
	} {
		t.Run(title, func(t *testing.T) {
			b.policies = policies{"release": test.policy}
			b.log.Reset()
			verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1", ImageDigest: digest, Policy: "release\n"})
			assert.Equal(t, test.outcome, verdict.Outcome, verdict)
			assert.Equal(t, test.reason, b.result("REASON"))
			assert.Equal(t, test.signed, verdict.SignaturesVerified)
			assert.Regexp(t, test.says, b.log.String())
			if verdict.Outcome == verify.Verified {
				assert.Zero(t, verdict.Failures)
			} else {
				assert.Contains(t, b.log.String(), verdict.Message, "the reason that is given is that of a line")
			}
		})
	}
}

func TestPolicyThatWarns(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	b.policies = policies{"release": b.policy(warning, signedBy(newKey(t).public))}
	verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os@" + digest, Policy: "release"})
	assert.Zero(t, verdict.ExitCode(true))
	assert.Equal(t, "true", b.result("VERIFIED"))
	assert.Equal(t, "false", b.result("SIGNATURES_VERIFIED"))
	assert.Contains(t, b.result("TEST_OUTPUT"), `"result":"WARNING"`)
	assert.Contains(t, b.result("TEST_OUTPUT"), `"warnings":1`)

	b.inject(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".sig") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	verdict = b.verify(verify.Options{ImageURL: b.host + "/acme/os@" + digest, Policy: "release"})
	assert.Equal(t, verify.Verified, verdict.Outcome, "it warns of what it does not know, too")
	assert.Equal(t, 1, verdict.Warnings)
}

// Whoever asks for two things gets both or a no.
func TestPolicyAndPublicKey(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	release, partner := newKey(t), newKey(t)
	b.policies = policies{"release": b.policy(signedBy(partner.public))}
	options := verify.Options{ImageURL: b.host + "/acme/os@" + digest, PublicKey: release.public, Policy: "release"}
	b.sign(release, digest)
	verdict := b.verify(options)
	assert.Equal(t, "KeyMismatch", verdict.Reason)
	assert.Contains(t, verdict.Message, "release: signature")
	assert.False(t, verdict.SignaturesVerified, "one of two")

	b.sign(partner, digest)
	verdict = b.verify(options)
	assert.Equal(t, "KeyMismatch", verdict.Reason)
	assert.Contains(t, verdict.Message, "or correct PUBLIC_KEY")

	b.policies = policies{"release": b.policy(signedBy(release.public, partner.public))}
	options.PublicKey = partner.public
	b.inject(nil)
	verdict = b.verify(options)
	assert.Equal(t, verify.Verified, verdict.Outcome, verdict)
	assert.True(t, verdict.SignaturesVerified)
	assert.Equal(t, 8, b.count(), "a ping, the index and its image, referrers by API and twice by tag, and the signature once: a manifest and a blob")
}

// What an image is called decides which policy it needs: none gets by under a name that looks alike.
func TestPolicyIsNotForTheImage(t *testing.T) {
	b := newBench(t)
	b.policies = policies{
		"release": b.policy(platforms("linux/arm64"), func(p *v1alpha1.CatalogPolicy) {
			p.Spec.Images = []v1alpha1.ImagePattern{{Glob: "registry.example.com/acme/*"}}
		}),
		"lenient": b.policy(warning, platforms("linux/arm64")),
	}
	for _, image := range []string{
		"registry.example.com.evil.org/acme/os:1", "evil.org/registry.example.com/acme/os:1", "REGISTRY.EXAMPLE.COM/acme/os:1",
		"registry.example.com:5000/acme/os:1", "registry.example.com./acme/os:1", "registry.example.com/acme/os/evil:1",
		"registry.example.com/acme-evil/os:1", "registryxexample.com/acme/os:1", "acme/os:1",
	} {
		verdict := b.verify(verify.Options{ImageURL: image, Policy: "release"})
		assert.Equal(t, verify.NotVerified, verdict.Outcome, image)
		assert.Equal(t, "PolicyDoesNotApply", b.result("REASON"), image)
		assert.Contains(t, verdict.Message, "but for registry.example.com/acme/*: name the policy of this image")
	}
	verdict := b.verify(verify.Options{ImageURL: "quay.io/acme/os:1", Policy: "lenient"})
	assert.Equal(t, "PolicyDoesNotApply", verdict.Reason, "a gate that checks nothing is none, not even one that only warns")
	b.entries = entries{"os": {Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme/os:1"}}}
	verdict = b.verify(verify.Options{Name: "os", Namespace: "team", Policy: "release"})
	assert.Equal(t, "PolicyDoesNotApply", verdict.Reason)
	assert.Zero(t, b.count(), "the registry is not asked")
}

func TestPolicyThatCannotBeHad(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	for policyName, test := range map[string]struct {
		outcome verify.Outcome
		reason  string
		says    string
	}{
		"absent":    {verify.NotVerified, "PolicyNotFound", "there is no CatalogPolicy absent"},
		"forbidden": {verify.Undecided, "CatalogForbidden", "may not read the CatalogPolicy forbidden, which has no namespace: grant it the role imagecatalog-view by a ClusterRoleBinding"},
		"down":      {verify.Undecided, "CatalogUnavailable", "connection refused"},
	} {
		t.Run(policyName, func(t *testing.T) {
			b.inject(nil)
			verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os@" + digest, Policy: policyName})
			assert.Equal(t, test.outcome, verdict.Outcome, verdict)
			assert.Equal(t, test.reason, b.result("REASON"))
			assert.Contains(t, verdict.Message, test.says)
			assert.Zero(t, b.count(), "the registry is not asked")
		})
	}
}

// A policy is read once, before the image is looked at: one that is deleted in between is judged by all the same, and one that
// was deleted before opens nothing.
func TestPolicyDeletedInBetween(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	b.policies = policies{"release": b.policy(signedBy(newKey(t).public))}
	b.inject(func(http.ResponseWriter, *http.Request) bool {
		delete(b.policies, "release")
		return false
	})
	options := verify.Options{ImageURL: b.host + "/acme/os@" + digest, Policy: "release"}
	assert.Equal(t, "Unsigned", b.verify(options).Reason)
	assert.Equal(t, "PolicyNotFound", b.verify(options).Reason)
}

// With an entry its publisher has a say; what the catalog found some time ago has none.
func TestPolicyOfAnEntry(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	entry := &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: "os", Namespace: "team"},
		Spec:       v1alpha1.CatalogImageSpec{Image: b.host + "/acme/os:1", Digest: digest, Channel: "prod", Metadata: v1alpha1.ImageMetadata{Distro: "autosd"}},
	}
	entry.Status.Digest = digest
	entry.Status.Platforms = []v1alpha1.Platform{{OS: "linux", Architecture: "riscv64"}}
	entry.Status.PublishedBy = "ada"
	b.entries = entries{"os": entry}
	options := verify.Options{Name: "os", Namespace: "team", Policy: "release"}

	b.policies = policies{"release": b.policy(metadata(v1alpha1.FieldDistro), platforms("linux/arm64"),
		expression(`entry.metadata.name == 'os' && entry.spec.channel == 'prod' && entry.status.publishedBy == 'ada'`, ""))}
	verdict := b.verify(options)
	assert.Equal(t, verify.Verified, verdict.Outcome, verdict)

	b.policies = policies{"release": b.policy(platforms("linux/riscv64"))}
	assert.Equal(t, "PlatformMissing", b.verify(options).Reason)

	b.policies = policies{"release": b.policy(metadata(v1alpha1.FieldKernelVersion))}
	verdict = b.verify(options)
	assert.Equal(t, "MetadataMissing", verdict.Reason)
	assert.NotContains(t, verdict.Message, "IMAGE_URL")

	entry.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled, Reason: "CVE-2026-1", Successor: "os-2"}
	b.policies = policies{"release": b.policy(platforms("linux/arm64"))}
	verdict = b.verify(options)
	assert.Equal(t, "Recalled", verdict.Reason)
	assert.Contains(t, verdict.Message, "is recalled (CVE-2026-1): use os-2")
}

// No configuration is read where nothing asks what is in it.
func TestWhatIsReadOfAnImage(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64, amd64)
	release := newKey(t)
	b.policies = policies{"signatures": b.policy(signedBy(release.public)), "facts": b.policy(platforms("linux/arm64"))}
	images, configurations := b.platforms(), b.configurations()
	require.Len(t, configurations, 2)
	for _, signed := range append([]string{digest}, images...) {
		b.sign(release, signed)
	}
	for title, test := range map[string]struct {
		options verify.Options
		want    bool
	}{
		"existence":         {verify.Options{}, false},
		"a signature":       {verify.Options{PublicKey: release.public}, false},
		"a policy of keys":  {verify.Options{Policy: "signatures"}, false},
		"a policy of facts": {verify.Options{Policy: "facts"}, true},
		"platforms":         {verify.Options{Platforms: []string{"linux/arm64"}}, true},
		"signed platforms":  {verify.Options{PublicKey: release.public, SignedPlatforms: true}, true},
		"content":           {verify.Options{Content: true}, true},
	} {
		t.Run(title, func(t *testing.T) {
			asked := map[string]bool{}
			b.inject(func(_ http.ResponseWriter, r *http.Request) bool {
				asked[r.URL.Path] = true
				return false
			})
			test.options.ImageURL = b.host + "/acme/os@" + digest
			require.Equal(t, verify.Verified, b.verify(test.options).Outcome)
			for i := range images {
				assert.Equal(t, test.want, asked["/v2/acme/os/blobs/"+configurations[i]])
				assert.True(t, asked["/v2/acme/os/manifests/"+images[i]], "each platform is there")
			}
		})
	}
}
