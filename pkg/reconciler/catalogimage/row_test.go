package catalogimage

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clientgotesting "k8s.io/client-go/testing"
	events "k8s.io/client-go/tools/record"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	logtesting "knative.dev/pkg/logging/testing"
	"knative.dev/pkg/reconciler"
	rtesting "knative.dev/pkg/reconciler/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	fakeclient "imagecatalog.dev/catalog/pkg/client/injection/client/fake"
	catalogimagereconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogimage"
	listers "imagecatalog.dev/catalog/pkg/client/listers/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
)

const (
	reference    = "quay.io/acme/autosd:1"
	key          = "radar/autosd"
	adopts       = "adopt " + reference + " for " + key
	releases     = "release all of " + key + " but " + reference
	interval     = time.Hour
	sooner       = 6 * time.Minute // after a verdict that the entry is not good
	sinceChecked = 10 * time.Minute
)

var (
	now     = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	created = time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

// fakeRegistry holds one image and notes what it is asked.
type fakeRegistry struct {
	image        *registry.Description
	err          error
	referrers    []registry.Referrer
	referrersErr error
	artifacts    map[string]*registry.Artifact // by tag or digest
	artifactsErr error
	asked        []string // but for the referrers of what was described
}

func (r *fakeRegistry) Head(_ context.Context, ref name.Reference, keychain authn.Keychain) (registry.Descriptor, error) {
	r.note("head", ref, keychain)
	if r.err != nil {
		return registry.Descriptor{}, r.err
	}
	return registry.Descriptor{Digest: r.image.Digest}, nil
}

func (r *fakeRegistry) Describe(_ context.Context, ref name.Reference, keychain authn.Keychain) (*registry.Description, error) {
	r.note("describe", ref, keychain)
	return r.image, r.err
}

func (r *fakeRegistry) Referrers(context.Context, name.Digest, authn.Keychain) ([]registry.Referrer, error) {
	return r.referrers, r.referrersErr
}

func (r *fakeRegistry) Artifact(_ context.Context, ref name.Reference, keychain authn.Keychain) (*registry.Artifact, error) {
	r.note("artifact", ref, keychain)
	if found, ok := r.artifacts[ref.Identifier()]; ok {
		return found, r.artifactsErr
	}
	return nil, cmp.Or(r.artifactsErr, error(answer(registry.NotFound)))
}

func (r *fakeRegistry) note(verb string, ref name.Reference, keychain authn.Keychain) {
	if keychain == nil {
		verb += " without a keychain"
	}
	r.asked = append(r.asked, verb+" "+ref.Name())
}

// fakeClaims answers with its errors and durations, and notes what it is asked.
type fakeClaims struct {
	adopting, releasing           error
	adoptingAgain, releasingAgain time.Duration
	asked                         []string
}

func (c *fakeClaims) Adopt(_ context.Context, claim claim.Claim) (time.Duration, error) {
	c.asked = append(c.asked, "adopt "+claim.Identity+" for "+claim.Namespace+"/"+claim.Holder)
	return c.adoptingAgain, c.adopting
}

func (c *fakeClaims) Release(_ context.Context, entry types.NamespacedName, keep string) (time.Duration, error) {
	asked := "release all of " + entry.String()
	if keep != "" {
		asked += " but " + keep
	}
	c.asked = append(c.asked, asked)
	return c.releasingAgain, c.releasing
}

// fakeLabels counts what it is asked to align, and answers with its error.
type fakeLabels struct {
	err     error
	aligned int
}

func (l *fakeLabels) Align(context.Context, *v1alpha1.CatalogImage) error {
	l.aligned++
	return l.err
}

// fakePolicies select every entry.
type fakePolicies struct {
	all []*policy.Policy
	err error
}

func (p fakePolicies) Selecting(name.Repository, string) ([]*policy.Policy, error) {
	return p.all, p.err
}

// fakeKeychains are empty ones that lack something, or an error.
type fakeKeychains struct {
	lacks []string
	err   error
}

func (k fakeKeychains) For(context.Context, *v1alpha1.CatalogImage, name.Reference) (Keychain, error) {
	return Keychain{Keychain: authn.NewMultiKeychain(), Lacks: k.lacks}, k.err
}

func single(digest string) *registry.Description {
	return &registry.Description{
		Digest: digest, MediaType: "application/vnd.oci.image.manifest.v1+json", SizeBytes: 110, Created: created,
		Layers:    []registry.Layer{{Digest: digestB, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", SizeBytes: 100}},
		Platforms: []registry.Platform{{Architecture: "arm64", OS: "linux", Variant: "v8", Digest: digest, SizeBytes: 110, LayerCount: 1}},
	}
}

func index(digest string) *registry.Description {
	return &registry.Description{
		Digest: digest, MediaType: "application/vnd.oci.image.index.v1+json", SizeBytes: 300, Created: created,
		Platforms: []registry.Platform{
			{Architecture: "amd64", OS: "linux", Digest: digestB, SizeBytes: 120, LayerCount: 2},
			{Architecture: "arm64", OS: "linux", Variant: "v8", Digest: digestB, SizeBytes: 180, LayerCount: 3},
		},
	}
}

type option func(*v1alpha1.CatalogImage)

func entry(options ...option) *v1alpha1.CatalogImage {
	i := &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "autosd", Generation: 1},
		Spec:       v1alpha1.CatalogImageSpec{Image: reference},
	}
	for _, option := range options {
		option(i)
	}
	if ref, err := i.Spec.Reference(); err == nil && i.Status.ObservedGeneration != 0 && i.Status.Image == "" {
		i.Status.Image = ref.Name()
	}
	return i
}

// observed is what every reconciliation brings.
func observed(i *v1alpha1.CatalogImage) {
	i.GetConditionSet().Manage(&i.Status).InitializeConditions()
	i.Status.ObservedGeneration = i.Generation
	i.Status.MarkPublished(i)
	i.Status.MarkNoPolicy()
}

func phase(p v1alpha1.Phase) option { return func(i *v1alpha1.CatalogImage) { i.Status.Phase = p } }

func checked(ago time.Duration) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.MarkChecked(now.Add(-ago)) }
}

// outage is one that began some time ago.
func outage(reason, message string, ago time.Duration) option {
	return func(i *v1alpha1.CatalogImage) {
		i.Status.MarkOutage(reason, message, now.Add(-ago))
		i.Status.MarkOutage(reason, message, now)
		i.Status.MarkNoPolicy()
	}
}

func resolved(i *v1alpha1.CatalogImage) { i.Status.MarkResolved() }
func unique(i *v1alpha1.CatalogImage)   { i.Status.MarkUnique() }
func pinned(i *v1alpha1.CatalogImage)   { i.Spec.Digest = digestA }
func changedSpec(i *v1alpha1.CatalogImage) {
	i.Generation++
}

func image(reference string) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Image = reference }
}

// speaksOf makes the status one about another image than the spec's.
func speaksOf(image string) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.Image = image }
}

func unresolved(reason registry.Reason) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.MarkUnresolved(string(reason), answer(reason).Error()) }
}

func duplicateOf(holder string) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.MarkDuplicate(holder) }
}

func uniquePending(err *claim.PendingError) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.MarkUniquePending(err.Error()) }
}

func uniqueUnknown(message string) option {
	return func(i *v1alpha1.CatalogImage) { i.Status.MarkUniqueUnknown(message) }
}

func describedSingle(digest string) option {
	return func(i *v1alpha1.CatalogImage) {
		at := metav1.NewTime(created)
		i.Status.MarkDigest(digest, now)
		i.Status.MediaType, i.Status.SizeBytes, i.Status.CreatedAt = "application/vnd.oci.image.manifest.v1+json", 110, &at
		i.Status.LayerCount = 1
		i.Status.Layers = []v1alpha1.Layer{{Digest: digestB, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", SizeBytes: 100}}
		i.Status.Platforms = []v1alpha1.Platform{{Architecture: "arm64", OS: "linux", Variant: "v8", Digest: digest, SizeBytes: 110, LayerCount: 1}}
		i.Status.MarkMetadataMatches()
	}
}

func describedIndex(digest string) option {
	return func(i *v1alpha1.CatalogImage) {
		at := metav1.NewTime(created)
		i.Status.MarkDigest(digest, now)
		i.Status.MediaType, i.Status.SizeBytes, i.Status.CreatedAt = "application/vnd.oci.image.index.v1+json", 300, &at
		i.Status.LayerCount, i.Status.Layers = 0, nil
		i.Status.Platforms = []v1alpha1.Platform{
			{Architecture: "amd64", OS: "linux", Digest: digestB, SizeBytes: 120, LayerCount: 2},
			{Architecture: "arm64", OS: "linux", Variant: "v8", Digest: digestB, SizeBytes: 180, LayerCount: 3},
		}
		i.Status.MarkMetadataMatches()
	}
}

func every(d time.Duration) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.CheckInterval = &metav1.Duration{Duration: d} }
}

// available is an entry that was found some time ago and has been well since.
func available(ago time.Duration, more ...option) *v1alpha1.CatalogImage {
	return entry(append([]option{observed, resolved, unique, describedSingle(digestA), checked(ago), phase(v1alpha1.PhaseAvailable)}, more...)...)
}

func answer(reason registry.Reason) *registry.Error {
	return &registry.Error{Reason: reason, Host: "quay.io", Subject: reference, Err: errors.New("100% as the test wants it")}
}

// row is one reconciliation: what is there, what the world answers, and what must come of it.
type row struct {
	before    *v1alpha1.CatalogImage
	registry  fakeRegistry
	blocked   bool // by the settings
	claims    fakeClaims
	keychains fakeKeychains
	labels    fakeLabels
	kube      *kubefake.Clientset

	after   *v1alpha1.CatalogImage // nil: the status is not written
	again   time.Duration          // when to reconcile again; 0: not by itself
	err     error
	asked   []string // of the registry
	claimed []string // of the claims
	events  []string // of the catalog
	failure string   // what knative's own Event tells
}

// lastResult keeps what the reconciler returned, which knative's table only compares with nil.
type lastResult struct {
	controller.Reconciler
	err error
}

func (r *lastResult) Reconcile(ctx context.Context, key string) error {
	r.err = r.Reconciler.Reconcile(ctx, key)
	return r.err
}

func (r *row) test(title string) rtesting.TableRow {
	table := rtesting.TableRow{
		Name: title, Key: key, WantErr: r.err != nil || r.again != 0,
		PostConditions: []func(*testing.T, *rtesting.TableRow){func(t *testing.T, done *rtesting.TableRow) {
			result := done.Reconciler.(*lastResult).err
			requeued, after := controller.IsRequeueKey(result)
			assert.Equal(t, r.again != 0, requeued, "%v", result)
			assert.Equal(t, r.again, after)
			if !requeued {
				assert.ErrorIs(t, result, r.err)
			}
			assert.Equal(t, r.allEvents(), r.told(t))
			assert.Equal(t, r.asked, r.registry.asked)
			assert.Equal(t, r.claimed, r.claims.asked)
			assert.Equal(t, r.before != nil, r.labels.aligned == 1, "every reconciliation of an entry looks after its labels")
		}},
	}
	if r.before != nil {
		table.Objects = []runtime.Object{r.before}
	}
	if r.failure != "" {
		table.WantEvents = []string{warning("InternalError", r.failure)}
	}
	if r.after != nil {
		table.WantStatusUpdates = []clientgotesting.UpdateActionImpl{{Object: r.after}}
	}
	return table
}

// allEvents are those of the row, and those that every entry has when it is first seen and when its spec was changed.
func (r *row) allEvents() []string {
	switch {
	case r.before == nil:
		return r.events
	case r.before.Status.ObservedGeneration == 0:
		return append(r.events, normal(eventPublished, "published by an unknown user: "+r.before.Spec.Image))
	case r.before.Status.ObservedGeneration != r.before.Generation:
		return append(r.events, normal(eventUpdated, "changed by an unknown user"))
	}
	return r.events
}

// told are the Events that were written.
func (r *row) told(t *testing.T) (told []string) {
	t.Helper()
	for _, action := range r.kube.Actions() {
		create, ok := action.(clientgotesting.CreateAction)
		require.True(t, ok, "%v", action)
		event := create.GetObject().(*corev1.Event)
		told = append(told, rtesting.Eventf(event.Type, event.Reason, "%s", event.Message))
	}
	return told
}

func normal(reason, message string) string {
	return rtesting.Eventf(corev1.EventTypeNormal, reason, "%s", message)
}

func warning(reason, message string) string {
	return rtesting.Eventf(corev1.EventTypeWarning, reason, "%s", message)
}

func (r *row) reconciler(t *testing.T, table *rtesting.TableRow) (controller.Reconciler, rtesting.ActionRecorderList, rtesting.EventList) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	objects := rtesting.NewObjectSorter(scheme)
	objects.AddObjects(table.Objects...)
	ctx, client := fakeclient.With(logtesting.TestContextWithLogger(t), table.Objects...)
	recorder := events.NewFakeRecorder(10) // knative's

	counted, err := newMetrics(noop.Meter{})
	require.NoError(t, err)
	r.kube = kubefake.NewClientset()
	notes := &announcing{journal: &journal{}, metrics: counted, events: r.kube.CoreV1(), now: nowIs(now)}
	inner := catalogimagereconciler.NewReconciler(ctx, logging.FromContext(ctx), statusClient{client, notes.tell, func(*v1alpha1.CatalogImage) {}},
		listers.NewCatalogImageLister(objects.IndexerForObjectType(&v1alpha1.CatalogImage{})), recorder,
		&Reconciler{
			registry: &r.registry, keychains: r.keychains, claims: &r.claims, labels: &r.labels, policies: fakePolicies{}, evidences: newEvidences(), journal: notes.journal, accesses: &accesses{}, metrics: counted,
			now:     func() time.Time { return now },
			due:     func(i *v1alpha1.CatalogImage, checked time.Time) time.Time { return checked.Add(i.Spec.Interval()) },
			allowed: func(name.Repository) bool { return !r.blocked },
		}).(generated)
	require.NoError(t, inner.Promote(reconciler.UniversalBucket(), func(reconciler.Bucket, types.NamespacedName) {}))
	notes.generated = inner
	return &lastResult{Reconciler: notes}, rtesting.ActionRecorderList{client}, rtesting.EventList{Recorder: recorder}
}

func reconcileAll(t *testing.T, rows map[string]*row) {
	t.Helper()
	for title, r := range rows {
		rtesting.TableTest{r.test(title)}.Test(t, r.reconciler)
	}
}
