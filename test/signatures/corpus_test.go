package signatures_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
	"imagecatalog.dev/catalog/pkg/verify"
	"imagecatalog.dev/catalog/test/signatures"
)

func newClient(t *testing.T) *registry.Client {
	t.Helper()
	settings, err := registry.ParseSettings(map[string]string{"hosts": "127.0.0.1: {plainHTTP: true, privateAddresses: true, requestsPerSecond: 100000}"})
	require.NoError(t, err)
	return registry.New(settings)
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

// The Task says of each case what the package says. Where the image itself is not to be had it does not come to signatures.
func TestCorpusOfTheTask(t *testing.T) {
	on := signatures.NewRegistry(t)
	outcomes := map[signature.Outcome]verify.Outcome{
		signature.Verified: verify.Verified, signature.NotVerified: verify.NotVerified, signature.Unknown: verify.Undecided,
	}
	for _, c := range signatures.Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			s := c.Set(t, on)
			verifier := verify.Verifier{Registry: newClient(t), Log: t.Output()}
			verdict := verifier.Verify(t.Context(), verify.Options{ImageURL: s.Image.Name(), PublicKey: s.Keys})
			assert.Equal(t, outcomes[c.Outcome], verdict.Outcome, verdict)
			assert.Equal(t, c.Outcome == signature.Verified, verdict.SignaturesVerified)
			if c.Outcome == signature.Verified {
				assert.Equal(t, verify.ReasonVerified, verdict.Reason)
				return
			}
			assert.Equal(t, string(c.Reason), verdict.Reason, verdict)
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
