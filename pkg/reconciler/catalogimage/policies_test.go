package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	listers "imagecatalog.dev/catalog/pkg/client/listers/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// storedPolicy wants a platform of the images that its patterns match.
func storedPolicy(name string, globs ...string) *v1alpha1.CatalogPolicy {
	p := &v1alpha1.CatalogPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "1"}, Spec: v1alpha1.CatalogPolicySpec{RequiredPlatforms: []string{"linux/arm64"}}}
	for _, glob := range globs {
		p.Spec.Images = append(p.Spec.Images, v1alpha1.ImagePattern{Glob: glob})
	}
	return p
}

func namespaceWith(labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "radar", Labels: labels}}
}

func TestPoliciesSelectByTheLabelsOfNamespaces(t *testing.T) {
	everywhere, labelled := storedPolicy("everywhere", "quay.io/**"), storedPolicy("labelled", "quay.io/**")
	labelled.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "prod"}}
	policies, namespaces := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{}), cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	require.NoError(t, policies.Add(everywhere))
	require.NoError(t, policies.Add(labelled))
	stored := &storedPolicies{policy.NewLibrary(listers.NewCatalogPolicyLister(policies)), corelisters.NewNamespaceLister(namespaces)}
	ref, err := entry().Spec.Reference()
	require.NoError(t, err)
	selecting := func() (names []string) {
		selected, err := stored.Selecting(ref.Context(), "radar")
		require.NoError(t, err)
		for _, p := range selected {
			names = append(names, p.Name)
		}
		return names
	}
	assert.Equal(t, []string{"everywhere"}, selecting(), "a namespace that is not known has no labels")
	require.NoError(t, namespaces.Add(namespaceWith(map[string]string{"stage": "dev"})))
	assert.Equal(t, []string{"everywhere"}, selecting())
	require.NoError(t, namespaces.Update(namespaceWith(map[string]string{"stage": "prod"})))
	assert.Equal(t, []string{"everywhere", "labelled"}, selecting())
}

func TestAPolicyThatChangesIsJudgedAgain(t *testing.T) {
	judged := entry(image("docker.io/acme/other:1"), func(i *v1alpha1.CatalogImage) {
		i.Name = "judged"
		i.Status.Verification = &v1alpha1.Verification{Policies: []v1alpha1.PolicyVerdict{{Name: "signed"}}}
	})
	elsewhere := entry(image("docker.io/acme/other:2"), func(i *v1alpha1.CatalogImage) { i.Name = "elsewhere" })
	entries := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, each := range []*v1alpha1.CatalogImage{entry(), judged, elsewhere} {
		require.NoError(t, entries.Add(each))
	}
	selectedAndJudged := []types.NamespacedName{it, {Namespace: "radar", Name: "judged"}}
	before := storedPolicy("signed", "quay.io/**")
	counted, changed, keyed, narrowed := before.DeepCopy(), before.DeepCopy(), before.DeepCopy(), before.DeepCopy()
	counted.ResourceVersion, counted.Status.Selected = "2", 7
	changed.ResourceVersion, changed.Spec.RequiredPlatforms = "2", []string{"linux/amd64"}
	keyed.ResourceVersion, keyed.Status.Keys = "2", []v1alpha1.AuthorityKeys{{Authority: "a", Data: "b"}}
	narrowed.ResourceVersion, narrowed.Spec.Images = "2", []v1alpha1.ImagePattern{{Glob: "ghcr.io/**"}}
	for title, test := range map[string]struct {
		event func(cache.ResourceEventHandler)
		want  []types.NamespacedName
	}{
		"fewer images":       {func(h cache.ResourceEventHandler) { h.OnUpdate(before, narrowed) }, selectedAndJudged},
		"added":              {func(h cache.ResourceEventHandler) { h.OnAdd(before, false) }, selectedAndJudged},
		"there at the start": {func(h cache.ResourceEventHandler) { h.OnAdd(before, true) }, nil},
		"other spec":         {func(h cache.ResourceEventHandler) { h.OnUpdate(before, changed) }, selectedAndJudged},
		"other keys":         {func(h cache.ResourceEventHandler) { h.OnUpdate(before, keyed) }, selectedAndJudged},
		"other counts":       {func(h cache.ResourceEventHandler) { h.OnUpdate(before, counted) }, nil},
		"resync":             {func(h cache.ResourceEventHandler) { h.OnUpdate(before, before) }, selectedAndJudged},
		"deleted":            {func(h cache.ResourceEventHandler) { h.OnDelete(before) }, selectedAndJudged},
		"deleted, unseen":    {func(h cache.ResourceEventHandler) { h.OnDelete(cache.DeletedFinalStateUnknown{Obj: before}) }, selectedAndJudged},
	} {
		enqueued := &recordedQueue{}
		test.event(policyEvents{enqueued.EnqueueKey, entries}.policies())
		assert.ElementsMatch(t, test.want, enqueued.now, title)
	}
}

func TestANamespaceWithOtherLabelsIsJudgedAgain(t *testing.T) {
	entries := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	require.NoError(t, entries.Add(entry()))
	require.NoError(t, entries.Add(entry(func(i *v1alpha1.CatalogImage) { i.Namespace = "lidar" })))
	enqueued := &recordedQueue{}
	handler := policyEvents{enqueued.EnqueueKey, entries}.namespaces()
	plain := namespaceWith(nil)
	handler.OnUpdate(plain, plain)
	assert.Empty(t, enqueued.now)
	handler.OnUpdate(plain, namespaceWith(map[string]string{"stage": "prod"}))
	assert.Equal(t, []types.NamespacedName{it}, enqueued.now)
}
