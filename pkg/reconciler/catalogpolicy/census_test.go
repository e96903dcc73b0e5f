package catalogpolicy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

func read(t *testing.T, stored *v1alpha1.CatalogPolicy) *policy.Policy {
	t.Helper()
	p, err := policy.Read(stored)
	require.NoError(t, err)
	return p
}

// entry has verdicts of policies.
func entry(namespace, name, image string, verdicts ...v1alpha1.PolicyVerdict) *v1alpha1.CatalogImage {
	e := &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.CatalogImageSpec{Image: image}}
	if len(verdicts) > 0 {
		e.Status.Verification = &v1alpha1.Verification{Policies: verdicts}
	}
	return e
}

func verdict(p *policy.Policy, outcome v1alpha1.PolicyOutcome, reason string) v1alpha1.PolicyVerdict {
	return v1alpha1.PolicyVerdict{Name: p.Name, Revision: p.Revision, Outcome: outcome, Reason: reason}
}

func newCensus(t *testing.T, namespaces map[string]map[string]string, entries ...*v1alpha1.CatalogImage) census {
	t.Helper()
	c := census{cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{entriesOfRepository: byRepository}), nil}
	for _, e := range entries {
		require.NoError(t, c.entries.Add(e))
	}
	known := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for name, labels := range namespaces {
		require.NoError(t, known.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}))
	}
	c.namespaces = corelisters.NewNamespaceLister(known)
	return c
}

func TestWhatIsCounted(t *testing.T) {
	p := read(t, stored())
	older := verdict(p, v1alpha1.PolicySatisfied, "")
	older.Revision = "older"
	other := verdict(p, v1alpha1.PolicySatisfied, "")
	other.Name = "other"
	c := newCensus(t, nil,
		entry("radar", "good", "quay.io/acme/autosd:1", other, verdict(p, v1alpha1.PolicySatisfied, "")),
		entry("radar", "also-good", "quay.io/acme/boards/rpi4:1", verdict(p, v1alpha1.PolicySatisfied, "")),
		entry("radar", "unsigned", "quay.io/acme/autosd:2", verdict(p, v1alpha1.PolicyViolated, "Unsigned")),
		entry("lidar", "unknown", "quay.io/acme/autosd:3", verdict(p, v1alpha1.PolicyUnknown, "RegistryUnavailable")),
		entry("lidar", "no-reason", "quay.io/acme/autosd:3", verdict(p, v1alpha1.PolicyUnknown, "")),
		entry("lidar", "new", "quay.io/acme/autosd:4", other),
		entry("lidar", "of-an-older-version", "quay.io/acme/autosd:4", older),
		entry("lidar", "elsewhere", "quay.io/acme-evil/autosd:4", verdict(p, v1alpha1.PolicySatisfied, "")),
		entry("lidar", "no-image", "UPPER"),
	)
	assert.Equal(t, Count{Selected: 7, Satisfied: 2, Unsatisfied: []v1alpha1.UnsatisfiedEntry{
		{Namespace: "lidar", Name: "new", Reason: "NotJudged"}, {Namespace: "lidar", Name: "no-reason", Reason: "Unknown"},
		{Namespace: "lidar", Name: "of-an-older-version", Reason: "NotJudged"}, {Namespace: "lidar", Name: "unknown", Reason: "RegistryUnavailable"},
		{Namespace: "radar", Name: "unsigned", Reason: "Unsigned"},
	}}, c.Count(p))
	assert.Equal(t, Count{}, newCensus(t, nil).Count(p), "nothing is written where nothing is")
}

func TestNamespacesAreCountedByTheirLabels(t *testing.T) {
	in := stored()
	in.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "prod"}}
	c := newCensus(t, map[string]map[string]string{"radar": {"stage": "prod"}, "lidar": {"stage": "dev"}},
		entry("radar", "a", "quay.io/acme/autosd:1"), entry("lidar", "b", "quay.io/acme/autosd:1"), entry("unknown", "c", "quay.io/acme/autosd:1"))
	counted := c.Count(read(t, in))
	assert.Equal(t, []v1alpha1.UnsatisfiedEntry{{Namespace: "radar", Name: "a", Reason: "NotJudged"}}, counted.Unsatisfied)
}

// However many there are, ten are named, always the same.
func TestTenThousandEntries(t *testing.T) {
	p := read(t, stored())
	var entries []*v1alpha1.CatalogImage
	for n := range 10_000 {
		entries = append(entries, entry("radar", fmt.Sprintf("entry-%05d", n), fmt.Sprintf("quay.io/acme/autosd-%d:1", n%100), verdict(p, v1alpha1.PolicyViolated, "Unsigned")))
	}
	c := newCensus(t, nil, entries...)
	counted := c.Count(p)
	assert.EqualValues(t, 10_000, counted.Selected)
	require.Len(t, counted.Unsatisfied, v1alpha1.MaxUnsatisfied)
	assert.Equal(t, "entry-00009", counted.Unsatisfied[9].Name)
}
