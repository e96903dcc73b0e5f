package catalogpolicy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	listers "imagecatalog.dev/catalog/pkg/client/listers/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// recorded is a queue that says who is in it.
type recorded struct{ now, later []string }

func (q *recorded) EnqueueKey(key types.NamespacedName) { q.now = append(q.now, key.Name) }
func (q *recorded) EnqueueKeyAfter(key types.NamespacedName, after time.Duration) {
	if after == countAfter {
		q.later = append(q.later, key.Name)
	}
}

// newEvents are of three policies: all is for every image of quay.io, acme for those of quay.io/acme in some namespaces, and
// waiting has a Secret that was not read yet.
func newEvents(t *testing.T) (*recorded, events) {
	t.Helper()
	known := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	add := func(name, glob string, p *v1alpha1.CatalogPolicy) {
		p.Name, p.Spec.Images[0].Glob = name, glob
		require.NoError(t, known.Add(p))
	}
	some := stored()
	some.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "prod"}}
	add("all", "quay.io/**", stored())
	add("acme", "quay.io/acme/*", some)
	add("waiting", "quay.io/acme/*", stored("release"))
	queue, lister := &recorded{}, listers.NewCatalogPolicyLister(known)
	return queue, events{queue, lister, policy.NewLibrary(lister)}
}

func TestWhichPoliciesAnEntryConcerns(t *testing.T) {
	concerned := []string{"acme", "all", "waiting"}
	before := entry("radar", "autosd", "quay.io/acme/autosd:1", v1alpha1.PolicyVerdict{Name: "all", Outcome: v1alpha1.PolicyUnknown})
	changed := func(do func(*v1alpha1.CatalogImage)) *v1alpha1.CatalogImage {
		after := before.DeepCopy()
		after.ResourceVersion = "2"
		do(after)
		return after
	}
	for title, test := range map[string]struct {
		happens func(cache.ResourceEventHandler)
		want    []string
	}{
		"it comes":                    {func(h cache.ResourceEventHandler) { h.OnAdd(before, false) }, concerned},
		"it goes":                     {func(h cache.ResourceEventHandler) { h.OnDelete(before) }, concerned},
		"it went while nobody looked": {func(h cache.ResourceEventHandler) { h.OnDelete(cache.DeletedFinalStateUnknown{Obj: before}) }, concerned},
		"it is checked": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(before, changed(func(e *v1alpha1.CatalogImage) { now := metav1.Now(); e.Status.LastCheckedAt = &now }))
		}, nil},
		"a verdict changes": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(before, changed(func(e *v1alpha1.CatalogImage) { e.Status.Verification.Policies[0].Outcome = v1alpha1.PolicySatisfied }))
		}, append(append([]string{}, concerned...), concerned...)},
		"its image changes": {func(h cache.ResourceEventHandler) {
			h.OnUpdate(before, changed(func(e *v1alpha1.CatalogImage) { e.Spec.Image = "quay.io/other/autosd:1" }))
		}, append(append([]string{}, concerned...), "all")},
		"it is of no image":   {func(h cache.ResourceEventHandler) { h.OnAdd(entry("radar", "autosd", "UPPER"), false) }, nil},
		"it is of another":    {func(h cache.ResourceEventHandler) { h.OnAdd(entry("radar", "autosd", "ghcr.io/acme/autosd"), false) }, nil},
		"nothing to speak of": {func(h cache.ResourceEventHandler) { h.OnAdd("text", true); h.OnDelete("text") }, nil},
	} {
		queue, events := newEvents(t)
		test.happens(events.ofEntries())
		assert.Equal(t, test.want, queue.later, title)
		assert.Empty(t, queue.now, title)
	}
}

func TestWhenAPolicyIsLookedAt(t *testing.T) {
	queue, events := newEvents(t)
	handler, before := events.ofPolicies(), stored()
	handler.OnAdd(before, true)
	written := before.DeepCopy()
	written.ResourceVersion, written.Status.Selected = "2", 7
	handler.OnUpdate(before, written)
	assert.Equal(t, []string{"trusted"}, queue.now)
	assert.Equal(t, []string{"trusted"}, queue.later, "a status, whoever wrote it, is looked at with the next count")
	changed := before.DeepCopy()
	changed.Generation++
	handler.OnUpdate(before, changed)
	replaced := before.DeepCopy()
	replaced.UID = "2"
	handler.OnUpdate(before, replaced)
	assert.Len(t, queue.now, 3)
	assert.Len(t, queue.later, 1)
}

func TestWhichPoliciesASecretConcerns(t *testing.T) {
	queue, events := newEvents(t)
	events.secretChanged("other")
	assert.Empty(t, queue.now)
	events.secretChanged("release")
	assert.Equal(t, []string{"waiting"}, queue.now)
}

func TestWhichPoliciesANamespaceConcerns(t *testing.T) {
	queue, events := newEvents(t)
	handler := events.ofNamespaces()
	is := func(labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "radar", Labels: labels}}
	}
	handler.OnUpdate(is(map[string]string{"a": "b"}), is(map[string]string{"a": "b"}))
	assert.Empty(t, queue.later)
	handler.OnUpdate(is(nil), is(map[string]string{"stage": "prod"}))
	handler.OnAdd(is(nil), false)
	assert.Equal(t, []string{"acme", "acme"}, queue.later)
}
