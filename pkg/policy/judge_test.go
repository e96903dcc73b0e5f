package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

var (
	index = "sha256:" + hexOf(1)
	amd64 = "sha256:" + hexOf(2)
	arm64 = "sha256:" + hexOf(3)
)

// entry is one of an index of two images, resolved.
func entry(options ...func(*v1alpha1.CatalogImage)) *v1alpha1.CatalogImage {
	e := &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "autosd"},
		Spec:       v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"},
		Status: v1alpha1.CatalogImageStatus{Digest: index, Platforms: []v1alpha1.Platform{
			{OS: "linux", Architecture: "amd64", Digest: amd64}, {OS: "linux", Architecture: "arm64", Digest: arm64},
		}},
	}
	for _, each := range options {
		each(e)
	}
	return e
}

// found is what a registry has, by digest. Of others nobody has looked.
type found map[string]*signature.Evidence

func (f found) of(digest string) *signature.Evidence { return f[digest] }

func none(string) *signature.Evidence { return nil }

// signed is evidence of these signers; without any the image is unsigned.
func signed(t testing.TB, digest string, signers ...*signer) *signature.Evidence {
	t.Helper()
	e := &signature.Evidence{Digest: digest}
	for _, s := range signers {
		e.Signatures = append(e.Signatures, s.signs(t, digest))
	}
	return e
}

// away is evidence of a registry that gave no answer, beside what is known.
func away(e *signature.Evidence) *signature.Evidence {
	e.Missing = &registry.Error{Reason: registry.RegistryUnavailable, Host: "quay.io", Subject: "the referrers", Err: errors.New("connection refused")}
	return e
}

func TestOneSignatureIsEnough(t *testing.T) {
	release, nightly, stranger := newSigner(t), newSigner(t), newSigner(t)
	p := read(t, key("release", release.pem), key("nightly", nightly.pem))
	for title, test := range map[string]struct {
		evidence *signature.Evidence
		outcome  v1alpha1.PolicyOutcome
		reason   string
		signers  []string
		text     string
	}{
		"by the first":                      {signed(t, index, release), v1alpha1.PolicySatisfied, "", []string{"release"}, ""},
		"by the second":                     {signed(t, index, nightly), v1alpha1.PolicySatisfied, "", []string{"nightly"}, ""},
		"by both":                           {signed(t, index, nightly, release), v1alpha1.PolicySatisfied, "", []string{"release", "nightly"}, ""},
		"by one, among others":              {signed(t, index, stranger, nightly), v1alpha1.PolicySatisfied, "", []string{"nightly"}, ""},
		"by one, and the registry is away":  {away(signed(t, index, release)), v1alpha1.PolicySatisfied, "", []string{"release"}, ""},
		"by a stranger":                     {signed(t, index, stranger), v1alpha1.PolicyViolated, "KeyMismatch", nil, index + ": release: none of the signatures"},
		"by nobody":                         {signed(t, index), v1alpha1.PolicyViolated, "Unsigned", nil, index + ": release: the image has no signature"},
		"by a stranger, registry away":      {away(signed(t, index, stranger)), v1alpha1.PolicyUnknown, "RegistryUnavailable", nil, "connection refused"},
		"nobody has looked":                 {nil, v1alpha1.PolicyUnknown, policy.ReasonNotCollected, nil, "nobody has looked for signatures of " + index},
		"what is there cannot be read":      {&signature.Evidence{Digest: index, Refused: []signature.Refusal{{Reason: signature.SignatureMalformed, Text: "no JSON"}}}, v1alpha1.PolicyViolated, "SignatureMalformed", nil, "no JSON"},
		"the evidence of an image not ours": {signed(t, amd64, stranger), v1alpha1.PolicyViolated, "KeyMismatch", nil, ""},
	} {
		t.Run(title, func(t *testing.T) {
			v := p.Judge(entry(), found{index: test.evidence}.of)
			assert.Equal(t, test.outcome, v.Outcome)
			assert.Equal(t, test.reason, v.Reason)
			assert.Contains(t, v.Message, test.text)
			assert.Equal(t, test.outcome == v1alpha1.PolicySatisfied, v.Message == "")
			assert.Equal(t, test.outcome, v.Signed.Outcome)
			var signers []string
			for _, s := range v.Signers {
				signers = append(signers, s.Authority)
				assert.Equal(t, "trusted", s.Policy)
				assert.Contains(t, []string{release.id(t), nightly.id(t)}, s.Key)
			}
			assert.Equal(t, test.signers, signers)
			assertPlain(t, v)
		})
	}
}

// Where a signature may be, none is missing: an authority of which nothing is known outweighs one that did not sign.
func TestAnAuthorityWithoutKeysMayHaveSigned(t *testing.T) {
	release := newSigner(t)
	p := read(t, key("release", release.pem), secret("lost", "lost-key"), observed())
	v := p.Judge(entry(), found{index: signed(t, index)}.of)
	assert.Equal(t, v1alpha1.PolicyUnknown, v.Outcome)
	assert.Equal(t, v1alpha1.ReasonKeyUnavailable, v.Reason)
	assert.Contains(t, v.Message, "lost: there is no public key in the Secret lost-key: the status of the policy says why")
	v = p.Judge(entry(), found{index: signed(t, index, release)}.of)
	assert.Equal(t, v1alpha1.PolicySatisfied, v.Outcome, "one signature is enough")
}

// What is violated is violated, whatever else is not known.
func TestAViolationOutweighsWhatIsNotKnown(t *testing.T) {
	p := read(t, key("release", newSigner(t).pem), fields("distro", "targets"), platforms("linux/amd64"))
	v := p.Judge(entry(), none)
	assert.Equal(t, v1alpha1.PolicyViolated, v.Outcome)
	assert.Equal(t, policy.ReasonMetadataMissing, v.Reason)
	assert.Equal(t, "spec.metadata.distro is not given: publish the image with it", v.Message)
	var outcomes []string
	for _, check := range v.Checks {
		outcomes = append(outcomes, check.Name+" "+string(check.Outcome))
	}
	assert.Equal(t, []string{"signature Unknown", "platform Satisfied", "metadata Violated", "metadata Violated"}, outcomes, "everything is judged")
	assert.Equal(t, v1alpha1.PolicyUnknown, v.Signed.Outcome)
}

func TestSignaturesOfThePlatforms(t *testing.T) {
	release := newSigner(t)
	p := read(t, key("release", release.pem), signedPlatforms)
	assert.Equal(t, []string{index, amd64, arm64}, p.Digests(entry()))
	for title, test := range map[string]struct {
		evidence found
		outcome  v1alpha1.PolicyOutcome
		text     string
	}{
		"all":                {found{index: signed(t, index, release), amd64: signed(t, amd64, release), arm64: signed(t, arm64, release)}, v1alpha1.PolicySatisfied, ""},
		"the index alone":    {found{index: signed(t, index, release), amd64: signed(t, amd64), arm64: signed(t, arm64)}, v1alpha1.PolicyViolated, amd64},
		"all but one":        {found{index: signed(t, index, release), amd64: signed(t, amd64, release), arm64: signed(t, arm64)}, v1alpha1.PolicyViolated, arm64},
		"all but the index":  {found{index: signed(t, index), amd64: signed(t, amd64, release), arm64: signed(t, arm64, release)}, v1alpha1.PolicyViolated, index},
		"one is not known":   {found{index: signed(t, index, release), amd64: signed(t, amd64, release)}, v1alpha1.PolicyUnknown, arm64},
		"one of each":        {found{index: signed(t, index, release), amd64: away(signed(t, amd64)), arm64: signed(t, arm64)}, v1alpha1.PolicyViolated, arm64},
		"a swapped platform": {found{index: signed(t, index, release), amd64: signed(t, arm64, release)}, v1alpha1.PolicyUnknown, arm64},
	} {
		v := p.Judge(entry(), test.evidence.of)
		assert.Equal(t, test.outcome, v.Outcome, title)
		assert.Contains(t, v.Message, test.text, title)
		assert.Equal(t, test.evidence[index].Signatures != nil, len(v.Signers) == 1, "%s: the signers are those of the image itself", title)
	}
	assert.Equal(t, []string{index}, read(t, key("release", release.pem)).Digests(entry()))
	assert.Empty(t, read(t, fields("distro"), key("release", release.pem)).Digests(entry())[1:])
	assert.Nil(t, read(t, fields("distro")).Digests(entry()))
}

// An image that is in no index has no images in it; one that is named twice is looked at once.
func TestDigestsAreNamedOnce(t *testing.T) {
	p := read(t, key("release", newSigner(t).pem), signedPlatforms)
	single := entry(func(e *v1alpha1.CatalogImage) {
		e.Status.Platforms = []v1alpha1.Platform{{OS: "linux", Architecture: "arm64"}}
	})
	assert.Equal(t, []string{index}, p.Digests(single))
	twice := entry(func(e *v1alpha1.CatalogImage) { e.Status.Platforms[1].Digest = amd64 })
	assert.Equal(t, []string{index, amd64}, p.Digests(twice))
}

// A status lists so many platforms at most: beyond may be one that nobody signed.
func TestAnIndexOfTooManyImages(t *testing.T) {
	release, evidence := newSigner(t), found{}
	many := entry(func(e *v1alpha1.CatalogImage) {
		e.Status.Platforms = nil
		for n := range v1alpha1.MaxPlatforms {
			e.Status.Platforms = append(e.Status.Platforms, v1alpha1.Platform{OS: "linux", Architecture: "amd64", Digest: fmt.Sprintf("sha256:%064x", n)})
		}
	})
	p := read(t, key("release", release.pem), signedPlatforms)
	for _, digest := range p.Digests(many) {
		evidence[digest] = signed(t, digest, release)
	}
	v := p.Judge(many, evidence.of)
	assert.Equal(t, v1alpha1.PolicyViolated, v.Outcome)
	assert.Equal(t, policy.ReasonTooManyPlatforms, v.Reason)
	many.Status.Platforms = many.Status.Platforms[1:]
	assert.Equal(t, v1alpha1.PolicySatisfied, p.Judge(many, evidence.of).Outcome)
}

// A verdict that asks for no signature says nothing about signatures.
func TestWithoutAuthoritiesNothingIsSaidOfSignatures(t *testing.T) {
	v := read(t, platforms("linux/arm64")).Judge(entry(), none)
	assert.Equal(t, v1alpha1.PolicySatisfied, v.Outcome)
	assert.Empty(t, v.Signed.Outcome)
	assert.Empty(t, v.Signers)
	assert.Equal(t, "trusted", v.Policy.Name)
}

// assertPlain requires that what a verdict says has room in a status, and stays on its line.
func assertPlain(t *testing.T, v policy.Verdict) {
	t.Helper()
	require.NotEmpty(t, v.Outcome)
	require.NotEmpty(t, v.Checks)
	for _, check := range v.Checks {
		assert.NotEmpty(t, check.Name)
		assert.NotEmpty(t, check.Text)
		assert.LessOrEqual(t, utf8.RuneCountInString(check.Reason), 64)
		assert.Equal(t, check.Outcome == v1alpha1.PolicySatisfied, check.Reason == "")
		assert.NotContains(t, check.Text, "\n")
	}
}

// FuzzJudge judges arbitrary entries by a policy that looks at all of them.
func FuzzJudge(f *testing.F) {
	release := newSigner(f)
	f.Add("linux", "arm64", "v8", "sha256:a", "prod", "a,b", uint8(2))
	f.Add("", "", "", "", "", "\xff", uint8(64))
	f.Add("Linux", "x86_64", "v1/2", "no digest", "prod", strings.Repeat("x,", 1000), uint8(65))
	p, err := policy.Read(stored(key("release", release.pem), secret("lost", "lost"), observed(), signedPlatforms, platforms("linux/arm64", "linux/arm/v7"),
		fields("architecture", "os", "variant", "distro", "distroVersion", "targets", "bootc", "buildMode", "exportFormat", "kernelVersion", "later"),
		expression("entry.spec.metadata.targets.exists(t, t.verified) || entry.status.createdAt > timestamp('2026-01-01T00:00:00Z')"),
		expression("entry.metadata.labels['a'].split(',').exists(x, x in entry.spec.tags) && entry.status.sizeBytes / entry.status.layerCount > 1"),
		expression("entry.spec.channel.matches('^prod') ? entry.status.platforms[1].os == 'linux' : entry.metadata.annotations.a == 'b'")))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, os, architecture, variant, digest, channel, text string, count uint8) {
		image := &v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Channel: v1alpha1.Facet(channel), Tags: strings.Split(text, ","), Image: text}}
		image.Labels, image.Status.Digest = map[string]string{"a": text}, digest
		for range count {
			image.Status.Platforms = append(image.Status.Platforms, v1alpha1.Platform{OS: os, Architecture: architecture, Variant: variant, Digest: digest})
			image.Spec.Metadata.Targets = append(image.Spec.Metadata.Targets, v1alpha1.Target{Name: v1alpha1.Facet(variant)})
		}
		v := p.Judge(image, func(string) *signature.Evidence { return signed(t, digest, release) })
		assertPlain(t, v)
		assert.NotEqual(t, v1alpha1.PolicySatisfied, v.Outcome, "nothing is of a field that nobody knows")
	})
}
