package signatures_test

import (
	"context"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
	"imagecatalog.dev/catalog/pkg/verify"
	"imagecatalog.dev/catalog/test/signatures"
)

func newClient(t *testing.T, options ...registry.Option) *registry.Client {
	t.Helper()
	settings, err := registry.ParseSettings(map[string]string{"hosts": "127.0.0.1: {plainHTTP: true, privateAddresses: true, requestsPerSecond: 100000}"})
	require.NoError(t, err)
	return registry.New(settings, options...)
}

// The package says of each case what the corpus says.
func TestCorpus(t *testing.T) {
	on := signatures.NewRegistry(t)
	for _, c := range signatures.Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			s := c.Set(t, on)
			keys, err := signature.ParseKeys([]byte(s.Keys))
			require.NoError(t, err)
			authorities := []signature.Authority{{Name: "release", Keys: keys}}
			verdict := signature.Verify(t.Context(), newClient(t), s.Image, nil, authorities)
			assert.Equal(t, c.Outcome, verdict.Outcome, verdict)
			require.Len(t, verdict.Findings, 1)
			assert.Equal(t, c.Reason, verdict.Findings[0].Reason, verdict)
			assert.NotEmpty(t, verdict.Findings[0].Text)

			// Evidence that was collected for nobody in particular says the same.
			again := signature.Judge(signature.Collect(t.Context(), newClient(t), s.Image, nil, nil), authorities)
			assert.Equal(t, c.Outcome, again.Outcome, again)
			assert.Equal(t, c.Reason, again.Findings[0].Reason, again)
		})
	}
}

// Evidence that one authority was enough for says that there may be more, which another one needs.
func TestBundlesThatAreLeftUnread(t *testing.T) {
	image, client := signatures.Corpus()[0].Set(t, signatures.NewRegistry(t)).Image, newClient(t)
	authority := func(signer signatures.Signer) []signature.Authority {
		keys, err := signature.ParseKeys([]byte(signer.PEM))
		require.NoError(t, err)
		return []signature.Authority{{Name: "release", Keys: keys}}
	}
	first, second := signatures.NewKey(t), signatures.NewKey(t)
	first.Attach(t, image)
	all := signature.Collect(t.Context(), client, image, nil, nil)
	assert.False(t, all.Partial)

	second.Attach(t, image)
	partial := signature.CollectAgain(t.Context(), client, image, nil, all, signature.Enough(authority(first)))
	assert.True(t, partial.Partial)
	assert.Equal(t, signature.NotVerified, signature.Judge(partial, authority(second)).Outcome)

	again := signature.CollectAgain(t.Context(), client, image, nil, partial, signature.Enough(authority(second)))
	assert.False(t, again.Partial)
	assert.Equal(t, signature.Verified, signature.Judge(again, authority(second)).Outcome)
}

// A policy that asks for a signature by the keys says so, too.
func TestCorpusOfThePolicy(t *testing.T) {
	on := signatures.NewRegistry(t)
	for _, c := range signatures.Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			s := c.Set(t, on)
			p, err := policy.Read(s.Policy())
			require.NoError(t, err)
			assert.True(t, p.SelectsImage(s.Image.Context()))
			verdict := judge(t, p, s.Image)
			assert.Equal(t, verdicts[c.Outcome], verdict.Outcome, verdict)
			assert.Equal(t, verdicts[c.Outcome], verdict.Signed.Outcome)
			if c.Outcome == signature.Verified {
				assert.Len(t, verdict.Signers, 1)
				return
			}
			assert.Equal(t, string(c.Reason), verdict.Reason, verdict)
			assert.NotEmpty(t, verdict.Message)
			assert.Empty(t, verdict.Signers)
		})
	}
}

// verdicts are what policies call outcomes, and outcomes what the Task does.
var (
	verdicts = map[signature.Outcome]v1alpha1.PolicyOutcome{
		signature.Verified: v1alpha1.PolicySatisfied, signature.NotVerified: v1alpha1.PolicyViolated, signature.Unknown: v1alpha1.PolicyUnknown,
	}
	outcomes = map[v1alpha1.PolicyOutcome]verify.Outcome{
		v1alpha1.PolicySatisfied: verify.Verified, v1alpha1.PolicyViolated: verify.NotVerified, v1alpha1.PolicyUnknown: verify.Undecided,
	}
)

// judge asks the policy as the controller does, with all evidence that there is.
func judge(t *testing.T, p *policy.Policy, image name.Digest) policy.Verdict {
	t.Helper()
	entry := &v1alpha1.CatalogImage{Status: v1alpha1.CatalogImageStatus{Digest: image.DigestStr()}}
	return p.Judge(entry, func(digest string) *signature.Evidence {
		return signature.Collect(t.Context(), newClient(t), image.Context().Digest(digest), nil, nil)
	})
}

// The Task says of each case what the package says, by the key and by a policy. Where the image itself is not to be had it
// does not come to signatures.
func TestCorpusOfTheTask(t *testing.T) {
	on := signatures.NewRegistry(t)
	for _, c := range signatures.Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			s := c.Set(t, on)
			for by, options := range map[string]verify.Options{
				"key":    {PublicKey: s.Keys},
				"policy": {Policy: "signed"},
				"both":   {PublicKey: s.Keys, Policy: "signed"},
			} {
				options.ImageURL = s.Image.Name()
				verdict := task(t, s.Policy(), options)
				assert.Equal(t, outcomes[verdicts[c.Outcome]], verdict.Outcome, "%s: %s", by, verdict)
				assert.Equal(t, c.Outcome == signature.Verified, verdict.SignaturesVerified, by)
				want := string(c.Reason)
				if c.Outcome == signature.Verified {
					want = verify.ReasonVerified
				}
				assert.Equal(t, want, verdict.Reason, "%s: %s", by, verdict)
			}
		})
	}
}

// stored are the policies of a cluster.
type stored map[string]*v1alpha1.CatalogPolicy

func (s stored) Get(_ context.Context, _, policyName string) (*v1alpha1.CatalogPolicy, error) {
	return s[policyName], nil
}

// task runs the flow of the Task with a client that knows nothing yet, as the Task's is.
func task(t *testing.T, p *v1alpha1.CatalogPolicy, options verify.Options) verify.Verdict {
	t.Helper()
	verifier := verify.Verifier{
		Registry: newClient(t, registry.AskAtOnce()), Log: t.Output(),
		Policies: func() (verify.Policies, error) { return stored{p.Name: p}, nil },
	}
	return verifier.Verify(t.Context(), options)
}

// Whoever judges by a policy says of each case what the corpus says; a gate says no where the policy is not for the image, and
// nothing where it cannot be read.
func TestCorpusOfPolicies(t *testing.T) {
	on := signatures.NewRegistry(t)
	for _, c := range signatures.PolicyCorpus() {
		t.Run(c.Name, func(t *testing.T) {
			image, p := c.Set(t, on)
			read, err := policy.Read(p)
			assert.Equal(t, c.Unread, err != nil, err)
			require.Equal(t, c.Selects, read.SelectsImage(image.Context()))
			gate := task(t, p, verify.Options{ImageURL: image.Name(), Policy: p.Name})
			if !c.Selects {
				assert.Equal(t, verify.NotVerified, gate.Outcome, gate)
				assert.Equal(t, verify.ReasonPolicyDoesNotApply, gate.Reason)
				return
			}
			verdict := judge(t, read, image)
			assert.Equal(t, c.Outcome, verdict.Outcome, verdict)
			assert.Equal(t, c.Reason, verdict.Reason, verdict)
			assert.Equal(t, outcomes[c.Outcome], gate.Outcome, gate)
			if c.Outcome != v1alpha1.PolicySatisfied && !c.Unread {
				assert.Equal(t, c.Reason, gate.Reason)
			}
		})
	}
}

// A signature by digest costs the Task no more requests than were promised.
func TestRequestsOfTheTask(t *testing.T) {
	on := signatures.NewRegistry(t)
	for _, c := range signatures.Corpus() {
		if c.Name != "bundle" && c.Name != "simple signing" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			s := c.Set(t, on)
			for by, options := range map[string]verify.Options{"key": {PublicKey: s.Keys}, "policy": {Policy: "signed"}} {
				options.ImageURL = s.Image.Name()
				on.Asked()
				require.Equal(t, verify.Verified, task(t, s.Policy(), options).Outcome)
				assert.Equal(t, 4, on.Asked(), "by %s: the image, its referrers, and a signature: a manifest and what is in it", by)
			}
		})
	}
}

// There are at least as many cases in which an image is not let through as were promised, and no two of one name.
func TestCorpusIsLarge(t *testing.T) {
	names, negative := map[string]bool{}, 0
	for _, c := range signatures.Corpus() {
		assert.False(t, names[c.Name], c.Name)
		names[c.Name] = true
		if c.Outcome != signature.Verified {
			negative++
		}
	}
	assert.GreaterOrEqual(t, negative, 40)
}
