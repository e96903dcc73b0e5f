package catalogpolicy

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// stored is a policy of the name trusted, for images of quay.io/acme, whose authorities name Secrets like themselves.
func stored(authorities ...string) *v1alpha1.CatalogPolicy {
	p := &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "trusted", UID: "1", ResourceVersion: "1", Generation: 2},
		Spec: v1alpha1.CatalogPolicySpec{
			Images:           []v1alpha1.ImagePattern{{Glob: "quay.io/acme/**"}},
			RequiredMetadata: []v1alpha1.MetadataField{v1alpha1.FieldDistro},
		},
	}
	for _, authority := range authorities {
		p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{
			Name: authority, Key: v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: authority}},
		})
	}
	return p
}

// held are the keys that are read, by Secret, and why others are not.
type held map[string]any

func (h held) Of(_ context.Context, secret string) (string, error) {
	switch found := h[secret].(type) {
	case string:
		return found, nil
	case error:
		return "", found
	default:
		return "", &lack{"the Secret " + secret + " does not exist"}
	}
}

// counted is what a census comes to; it notes by which revision.
type counted struct {
	all Count
	by  *policy.Policy
}

func (c *counted) Count(p *policy.Policy) Count {
	c.by = p
	return c.all
}

func TestAPolicyThatIsInOrder(t *testing.T) {
	p := stored("release", "nightly")
	p.Spec.Authorities = append(p.Spec.Authorities, v1alpha1.Authority{Name: "own", Key: v1alpha1.KeyRef{Data: publicPEM(t)}})
	census := &counted{all: Count{Selected: 3, Satisfied: 2, Unsatisfied: []v1alpha1.UnsatisfiedEntry{{Namespace: "a", Name: "b", Reason: "Unsigned"}}}}
	release, nightly := publicPEM(t), publicPEM(t)
	r := &Reconciler{keys: held{"release": release, "nightly": nightly}, entries: census}
	require.NoError(t, r.ReconcileKind(t.Context(), p))

	assert.True(t, p.Status.GetCondition(apis.ConditionReady).IsTrue())
	assert.Equal(t, []v1alpha1.AuthorityKeys{{Authority: "release", Data: release}, {Authority: "nightly", Data: nightly}}, p.Status.Keys)
	assert.EqualValues(t, 3, p.Status.Selected)
	assert.EqualValues(t, 2, p.Status.Satisfied)
	assert.Equal(t, census.all.Unsatisfied, p.Status.Unsatisfied)

	p.Status.ObservedGeneration = p.Generation // as it is stored
	read, err := policy.Read(p)
	require.NoError(t, err)
	assert.Equal(t, read.Revision, census.by.Revision, "counted by the revision that entries are judged by")
}

func TestAnInvalidPolicySaysWhere(t *testing.T) {
	p := stored()
	p.Spec.Images[0].Glob = "quay.io"
	p.Spec.Validations = []v1alpha1.Validation{{Expression: "no"}}
	require.NoError(t, (&Reconciler{keys: held{}, entries: &counted{}}).ReconcileKind(t.Context(), p))
	valid := p.Status.GetCondition(v1alpha1.ConditionValid)
	assert.True(t, valid.IsFalse())
	assert.Contains(t, valid.Message, "spec.images[0].glob: ")
	assert.Contains(t, valid.Message, "no expression of CEL: spec.validations[0].expression: line 1, column 1: undeclared reference to 'no'")
	assert.NotContains(t, valid.Message, "\n")
	assert.True(t, p.Status.GetCondition(v1alpha1.ConditionKeysAvailable).IsTrue())
	assert.True(t, p.Status.GetCondition(apis.ConditionReady).IsFalse())
}

func TestKeysThatAreNotThere(t *testing.T) {
	release := publicPEM(t)
	p := stored("release", "nightly", "weekly")
	p.Status.Keys = []v1alpha1.AuthorityKeys{{Authority: "nightly", Data: publicPEM(t)}}
	p.Status.ObservedGeneration = p.Generation
	require.NoError(t, (&Reconciler{keys: held{"release": release}, entries: &counted{}}).ReconcileKind(t.Context(), p))
	available := p.Status.GetCondition(v1alpha1.ConditionKeysAvailable)
	assert.True(t, available.IsFalse())
	assert.Equal(t, v1alpha1.ReasonKeyUnavailable, available.Reason)
	assert.Equal(t, "the Secret nightly does not exist; the Secret weekly does not exist", available.Message)
	assert.Equal(t, []v1alpha1.AuthorityKeys{{Authority: "release", Data: release}}, p.Status.Keys, "the key of a Secret that went counts no more")
}

// An API server that gives no answer proves nothing about a Secret.
func TestAnOutageTakesNoKeyAway(t *testing.T) {
	outage := errors.New("reading the Secret: timeout")
	r := &Reconciler{keys: held{"release": publicPEM(t)}, entries: &counted{}}
	p := stored("release")
	require.NoError(t, r.ReconcileKind(t.Context(), p))
	p.Status.ObservedGeneration = p.Generation
	before := p.DeepCopy()
	r.keys = held{"release": outage}
	require.ErrorIs(t, r.ReconcileKind(t.Context(), p), outage, "it is tried again")
	assert.Equal(t, before.Status, p.Status)

	p.Generation++
	p.Spec.Authorities[0].Key.SecretRef.Name = "another"
	r.keys = held{"another": outage}
	require.ErrorIs(t, r.ReconcileKind(t.Context(), p), outage)
	assert.Empty(t, p.Status.Keys, "those of one Secret are not those of another")
	assert.True(t, p.Status.GetCondition(v1alpha1.ConditionKeysAvailable).IsFalse())
	assert.Equal(t, outage.Error(), p.Status.GetCondition(v1alpha1.ConditionKeysAvailable).Message)
}

func TestAStatusHasRoomForItsMessages(t *testing.T) {
	var authorities []string
	for range 16 {
		authorities = append(authorities, strings.Repeat("x", 253))
	}
	p := stored(authorities...)
	require.NoError(t, (&Reconciler{keys: held{}, entries: &counted{}}).ReconcileKind(t.Context(), p))
	assert.LessOrEqual(t, len([]rune(p.Status.GetCondition(v1alpha1.ConditionKeysAvailable).Message)), v1alpha1.MaxMessage)
}
