package main

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	imageregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

func TestEveryImageIsSignedByAllSigners(t *testing.T) {
	server := httptest.NewServer(imageregistry.New(imageregistry.WithReferrersSupport(true), imageregistry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	tag, err := name.NewTag(host + "/" + imageRepository + ":0")
	require.NoError(t, err)
	image, err := numberedImage(0)
	require.NoError(t, err)
	digest, err := image.Digest()
	require.NoError(t, err)
	pusher, err := remote.NewPusher()
	require.NoError(t, err)
	require.NoError(t, pusher.Push(t.Context(), tag, image))

	var signers []*signer
	for range 3 {
		made, err := newSigner()
		require.NoError(t, err)
		signers = append(signers, made)
	}
	require.NoError(t, pushSignatures(t.Context(), pusher, tag.Digest(digest.String()), signers[:2]...))
	for n, outcome := range []signature.Outcome{signature.Verified, signature.Verified, signature.NotVerified} {
		keys, err := signature.ParseKeys([]byte(signers[n].public))
		require.NoError(t, err)
		said := signature.Verify(t.Context(), newTestClient(t, host), tag.Digest(digest.String()), nil, []signature.Authority{{Name: "team", Keys: keys}})
		assert.Equal(t, outcome, said.Outcome, "signer %d", n)
	}
}

func newTestClient(t *testing.T, host string) *registry.Client {
	t.Helper()
	settings, err := registry.ParseSettings(map[string]string{"hosts": host + ": {plainHTTP: true, privateAddresses: true}"})
	require.NoError(t, err)
	return registry.New(settings)
}

// judgedEntry was found to be signed by the only policy.
func judgedEntry(name, revision string) *v1alpha1.CatalogImage {
	return &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: v1alpha1.CatalogImageStatus{
			Status:       duckv1.Status{Conditions: duckv1.Conditions{{Type: v1alpha1.ConditionVerified, Status: corev1.ConditionTrue}}},
			Phase:        v1alpha1.PhaseAvailable,
			Verification: &v1alpha1.Verification{Policies: []v1alpha1.PolicyVerdict{{Name: "bench", Revision: revision}}},
		},
	}
}

func TestAnEntryIsJudgedWhenTheChangedPolicyHasFoundItSigned(t *testing.T) {
	was := judgedEntry("a", "1")
	assert.True(t, isJudged(was, judgedEntry("a", "2")))
	assert.True(t, isJudged(&v1alpha1.CatalogImage{}, judgedEntry("a", "1")), "for the first time")
	assert.False(t, isJudged(was, judgedEntry("a", "1")), "by the policy as it was")
	for what, change := range map[string]func(*v1alpha1.CatalogImageStatus){
		"not signed": func(s *v1alpha1.CatalogImageStatus) {
			s.Conditions = duckv1.Conditions{apis.Condition{Type: v1alpha1.ConditionVerified, Status: corev1.ConditionFalse}}
		},
		"not ready": func(s *v1alpha1.CatalogImageStatus) { s.Phase = v1alpha1.PhaseFailed },
		"no policy": func(s *v1alpha1.CatalogImageStatus) { s.Verification = nil },
	} {
		entry := judgedEntry("a", "2")
		change(&entry.Status)
		assert.False(t, isJudged(was, entry), what)
	}
}

func TestTheWatchIsOverWhenItHasToldOfAll(t *testing.T) {
	told := telling{done: isJudged, before: map[string]*v1alpha1.CatalogImage{"a": judgedEntry("a", "1"), "b": judgedEntry("b", "1")}}
	for _, step := range []struct {
		of   *v1alpha1.CatalogImage
		over bool
	}{
		{judgedEntry("a", "2"), false},
		{judgedEntry("a", "2"), false}, // of the same once more
		{judgedEntry("b", "1"), false}, // of something else
		{judgedEntry("c", "2"), false}, // of somebody else
		{judgedEntry("b", "2"), true},
	} {
		over, err := told.hear(watch.Event{Type: watch.Modified, Object: step.of})
		require.NoError(t, err)
		assert.Equal(t, step.over, over, "%s, revision %s", step.of.Name, revisionIn(step.of))
	}
	_, err := told.hear(watch.Event{Type: watch.Deleted, Object: judgedEntry("a", "2")})
	assert.ErrorContains(t, err, "DELETED")
	_, err = told.hear(watch.Event{Type: watch.Error, Object: &metav1.Status{}})
	assert.ErrorContains(t, err, "ERROR")
}

func TestARequestInAnyTurnMissesTheGoal(t *testing.T) {
	turns := rejudgeTurns{collecting: 600}
	for _, took := range []time.Duration{9, 4, 5, 6} { // the first does not count
		turns.add(stretch{took: took * time.Second}, stretch{took: 4 * time.Second, requests: 7})
	}
	assert.Equal(t, []string{
		"rejudge/time                                         5 s against 4: ratio 1.25, goal 1.25 met",
		"rejudge/requests                                     0 requests against 600: ratio 0, goal 0 met",
	}, linesOf(turns.figures()))
	assert.Equal(t, rejudge(settings{}).figures, namesOf(turns.figures()))

	turns.requests[0] = 1
	assert.Equal(t, "rejudge/requests                                     1 requests against 600: ratio 0.00167, goal 0 MISSED", turns.figures()[1].String())
}
