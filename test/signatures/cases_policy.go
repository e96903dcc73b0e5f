package signatures

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// PolicyCase is an image that is signed, a policy, and what is to be said of the image by it.
type PolicyCase struct {
	Name string
	// image is a repository that is asked about instead of that of the stage, where the image is.
	image string
	edit  func(s *Stage, p *v1alpha1.CatalogPolicy)
	// Selects says that the policy is for the image. What follows is only then.
	Selects bool
	Outcome v1alpha1.PolicyOutcome
	Reason  string
	// Unread says that the policy cannot be read, so that a gate does not come to judge by it.
	Unread bool
}

// authority of the policies of the corpus.
const authority = "release"

// Policy is one that asks for a signature by the keys of the stage, of the images in its repository.
func (s *Stage) Policy() *v1alpha1.CatalogPolicy {
	return &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "signed", Generation: 1},
		Spec: v1alpha1.CatalogPolicySpec{
			Images:      []v1alpha1.ImagePattern{{Glob: s.repository.Name()}},
			Authorities: []v1alpha1.Authority{{Name: authority, Key: v1alpha1.KeyRef{Data: s.Keys}}},
		},
	}
}

// Set sets the case up in a registry, and gives the image that is asked about and the policy.
func (c PolicyCase) Set(t testing.TB, on *Registry) (name.Digest, *v1alpha1.CatalogPolicy) {
	t.Helper()
	s := Case{Name: "policy: " + c.Name, lay: func(s *Stage) { s.attach(s.bundled(s.ownStatement(), s.signer)) }}.Set(t, on)
	p := s.Policy()
	c.edit(s, p)
	if c.image == "" {
		return s.Image, p
	}
	other, err := name.NewDigest(c.image + "@" + s.Image.DigestStr())
	require.NoError(t, err)
	return other, p
}

// PolicyCorpus is all cases of policies.
func PolicyCorpus() []PolicyCase {
	return append(keysOfPolicies(), globsOfPolicies()...)
}

const (
	satisfied = v1alpha1.PolicySatisfied
	violated  = v1alpha1.PolicyViolated
	undecided = v1alpha1.PolicyUnknown
)

func keysOfPolicies() []PolicyCase {
	return []PolicyCase{
		{Name: "key", Selects: true, Outcome: satisfied, edit: func(*Stage, *v1alpha1.CatalogPolicy) {}},
		{Name: "key of a stranger", Selects: true, Outcome: violated, Reason: "KeyMismatch", edit: func(s *Stage, p *v1alpha1.CatalogPolicy) {
			p.Spec.Authorities[0].Key.Data = s.stranger.PEM
		}},
		{Name: "key of a stranger, and one that signed", Selects: true, Outcome: satisfied, edit: func(s *Stage, p *v1alpha1.CatalogPolicy) {
			p.Spec.Authorities[0].Key.Data = s.stranger.PEM
			p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{Name: "other", Key: v1alpha1.KeyRef{Data: s.Keys}})
		}},
		{Name: "key in a Secret", Selects: true, Outcome: satisfied, edit: func(s *Stage, p *v1alpha1.CatalogPolicy) {
			inSecret(p, "key")
			p.Status.Keys = []v1alpha1.AuthorityKeys{{Authority: authority, Data: s.Keys}}
		}},
		{Name: "key in a Secret of another namespace", Selects: true, Outcome: undecided, Reason: v1alpha1.ReasonKeyUnavailable, edit: func(_ *Stage, p *v1alpha1.CatalogPolicy) {
			inSecret(p, "elsewhere/key") // which no namespace has
		}},
		{Name: "key in the Secret of another authority", Selects: true, Outcome: undecided, Reason: v1alpha1.ReasonKeyUnavailable, edit: func(s *Stage, p *v1alpha1.CatalogPolicy) {
			inSecret(p, "key")
			p.Status.Keys = []v1alpha1.AuthorityKeys{{Authority: "other", Data: s.Keys}}
		}},
		{Name: "key in a Secret that was not read yet", Selects: true, Outcome: undecided, Reason: v1alpha1.ReasonKeyUnavailable, Unread: true, edit: func(s *Stage, p *v1alpha1.CatalogPolicy) {
			inSecret(p, "key")
			p.Status.Keys = []v1alpha1.AuthorityKeys{{Authority: authority, Data: s.Keys}}
			p.Generation++
		}},
		{Name: "authority without a key", Selects: true, Outcome: undecided, Reason: v1alpha1.ReasonKeyUnavailable, Unread: true, edit: func(_ *Stage, p *v1alpha1.CatalogPolicy) {
			p.Spec.Authorities[0].Key.Data = ""
		}},
		{Name: "no key at all", Selects: true, Outcome: undecided, Reason: v1alpha1.ReasonKeyUnavailable, Unread: true, edit: func(_ *Stage, p *v1alpha1.CatalogPolicy) {
			p.Spec.Authorities[0].Key.Data = "-----BEGIN PUBLIC KEY-----"
		}},
		{Name: "platform that is missing", Selects: true, Outcome: violated, Reason: policy.ReasonPlatformMissing, edit: func(_ *Stage, p *v1alpha1.CatalogPolicy) {
			p.Spec.RequiredPlatforms = []string{"linux/riscv64"}
		}},
	}
}

func inSecret(p *v1alpha1.CatalogPolicy, secret string) {
	p.Spec.Authorities[0].Key = v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: secret}}
	p.Status.ObservedGeneration = p.Generation
}

// globsOfPolicies are names that look like one that a policy is for.
func globsOfPolicies() []PolicyCase {
	cases := []PolicyCase{{Name: "glob of the image among others", Selects: true, Outcome: satisfied, edit: func(_ *Stage, p *v1alpha1.CatalogPolicy) {
		p.Spec.Images = append([]v1alpha1.ImagePattern{{Glob: "registry.example.com/acme/*"}}, p.Spec.Images...)
	}}}
	for trick, image := range map[string]string{
		"longer host":        "registry.example.com.evil.org/acme/os",
		"host in the path":   "evil.org/registry.example.com/acme/os",
		"upper case":         "REGISTRY.EXAMPLE.COM/acme/os",
		"port":               "registry.example.com:5000/acme/os",
		"trailing dot":       "registry.example.com./acme/os",
		"other character":    "registryxexample.com/acme/os",
		"longer repository":  "registry.example.com/acme/os/evil",
		"shorter repository": "registry.example.com/acme",
		"similar repository": "registry.example.com/acme-evil/os",
		"prefix of the host": "evilregistry.example.com/acme/os",
	} {
		cases = append(cases, PolicyCase{Name: "glob and " + trick, image: image, edit: func(_ *Stage, p *v1alpha1.CatalogPolicy) {
			p.Spec.Images = []v1alpha1.ImagePattern{{Glob: "registry.example.com/acme/*"}}
		}})
	}
	return cases
}
