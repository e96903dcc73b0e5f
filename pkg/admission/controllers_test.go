package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgotesting "k8s.io/client-go/testing"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	_ "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/mutatingwebhookconfiguration/fake"
	_ "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/validatingwebhookconfiguration/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/configmap/informer"
	"knative.dev/pkg/controller"
	_ "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret/fake"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/system"
	_ "knative.dev/pkg/system/testing"
	"knative.dev/pkg/webhook"

	catalogclient "imagecatalog.dev/catalog/pkg/client/injection/client/fake"
)

type constructor func(context.Context, configmap.Watcher) *controller.Impl

// newController is a controller of the webhook over fake API servers, which are in the context.
func newController(t *testing.T, construct constructor) (context.Context, webhook.AdmissionController) {
	t.Helper()
	ctx, _ := rtesting.SetupFakeContext(t)
	ctx = webhook.WithOptions(ctx, webhook.Options{SecretName: "webhook-certs"})
	impl := construct(ctx, newWatcher(ctx))
	admitting, ok := impl.Reconciler.(webhook.AdmissionController)
	require.True(t, ok, "%T", impl.Reconciler)
	return ctx, admitting
}

// newWatcher is knative's over the fake API server in the context, not yet started.
func newWatcher(ctx context.Context) *informer.InformedWatcher {
	return informer.NewInformedWatcher(kubeclient.Get(ctx), system.Namespace())
}

// request is what the API server sends when alice writes an entry; an empty document is none.
func request(operation admissionv1.Operation, before, after string) *admissionv1.AdmissionRequest {
	object := func(spec string) runtime.RawExtension {
		if spec == "" {
			return runtime.RawExtension{}
		}
		return runtime.RawExtension{Raw: []byte(spec)}
	}
	return &admissionv1.AdmissionRequest{
		Operation: operation,
		Kind:      metav1.GroupVersionKind{Group: "imagecatalog.dev", Version: "v1alpha1", Kind: "CatalogImage"},
		Resource:  metav1.GroupVersionResource{Group: "imagecatalog.dev", Version: "v1alpha1", Resource: "catalogimages"},
		UserInfo:  authenticationv1.UserInfo{Username: "alice"},
		OldObject: object(before),
		Object:    object(after),
	}
}

// document is an entry of namespace radar as a client writes it.
func document(name, labels, spec string) string {
	return fmt.Sprintf(`{"apiVersion": "imagecatalog.dev/v1alpha1", "kind": "CatalogImage",
		"metadata": {"namespace": "radar", "name": %q, "labels": {%s}}, "spec": {%s}}`, name, labels, spec)
}

// stampedDocument is an entry as it reaches the validation when alice writes it.
func stampedDocument(name, spec string) string {
	stamps := fmt.Sprintf(`"annotations": {"imagecatalog.dev/creator": "alice", "imagecatalog.dev/lastModifier": "alice", "imagecatalog.dev/published-at": %q}`,
		time.Now().UTC().Format(time.RFC3339))
	return strings.Replace(document(name, "", spec), `"labels":`, stamps+`, "labels":`, 1)
}

// patched are the changes that a response asks for, by path; a removal is nil.
func patched(t *testing.T, response *admissionv1.AdmissionResponse) map[string]any {
	t.Helper()
	require.True(t, response.Allowed, "%v", response.Result)
	var operations []struct {
		Op, Path string
		Value    any
	}
	if len(response.Patch) > 0 {
		require.NoError(t, json.Unmarshal(response.Patch, &operations))
	}
	changes := map[string]any{}
	for _, o := range operations {
		changes[o.Path] = o.Value
	}
	return changes
}

func TestDefaultingACreate(t *testing.T) {
	ctx, defaulting := newController(t, NewDefaulting)
	response := defaulting.Admit(ctx, request(admissionv1.Create, "",
		document("autosd", `"team": "radar"`, `"image": "quay.io/acme/autosd:1", "channel": "dev", "checkInterval": "60m"`)))
	changes := patched(t, response)
	assert.ElementsMatch(t, []string{"/metadata/labels/imagecatalog.dev~1channel", "/metadata/annotations"}, slices.Collect(maps.Keys(changes)),
		"nothing of the spec: not even 60m, which Go writes as 1h0m0s")
	stamps, ok := changes["/metadata/annotations"].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, "alice", stamps["imagecatalog.dev/creator"])
	assert.Equal(t, "alice", stamps["imagecatalog.dev/lastModifier"])
	assert.NotEmpty(t, stamps["imagecatalog.dev/published-at"])
}

func TestDefaultingAnUpdate(t *testing.T) {
	ctx, defaulting := newController(t, NewDefaulting)
	const labels = `"team": "radar", "imagecatalog.dev/channel": "dev"`
	before := document("autosd", labels, `"image": "quay.io/acme/autosd:1", "channel": "dev"`)
	response := defaulting.Admit(ctx, request(admissionv1.Update, before, document("autosd", labels, `"image": "quay.io/acme/autosd:1"`)))
	changes := patched(t, response)
	assert.Contains(t, changes, "/metadata/labels/imagecatalog.dev~1channel")
	assert.Nil(t, changes["/metadata/labels/imagecatalog.dev~1channel"])
	assert.NotContains(t, changes, "/metadata/labels/team")
}

func TestValidatingABadEntry(t *testing.T) {
	ctx, validation := newController(t, NewValidation)
	response := validation.Admit(ctx, request(admissionv1.Create, "", stampedDocument("autosd", `"image": "UPPER/case:1"`)))
	assert.False(t, response.Allowed)
	assert.Contains(t, response.Result.Message, "validation failed: invalid value: UPPER/case:1: spec.image")
	assert.Empty(t, claims(ctx, t), "a refused entry takes no claim")
}

func TestValidatingDuplicates(t *testing.T) {
	ctx, validation := newController(t, NewValidation)
	admit := func(operation admissionv1.Operation, dryRun bool, before, after string) *admissionv1.AdmissionResponse {
		r := request(operation, before, after)
		r.DryRun = &dryRun
		return validation.Admit(ctx, r)
	}
	one := stampedDocument("one", `"image": "nginx:1.29"`)
	two := stampedDocument("two", `"image": "docker.io/library/nginx:1.29"`)

	assert.True(t, admit(admissionv1.Create, true, "", one).Allowed)
	assert.Empty(t, claims(ctx, t), "a dry run takes no claim")

	assert.True(t, admit(admissionv1.Create, false, "", one).Allowed)
	assert.Equal(t, []string{"index.docker.io/library/nginx:1.29 one"}, claims(ctx, t))
	for _, dryRun := range []bool{false, true} {
		response := admit(admissionv1.Create, dryRun, "", two)
		assert.False(t, response.Allowed)
		assert.Contains(t, response.Result.Message, `index.docker.io/library/nginx:1.29 is being published as "one" in namespace "radar"; retry in `)
	}

	stored := admitted(image("nginx:1.29"))
	stored.Name = "one"
	require.NoError(t, catalogclient.Get(ctx).Tracker().Add(&stored.CatalogImage))
	response := admit(admissionv1.Create, false, "", two)
	assert.False(t, response.Allowed)
	assert.Contains(t, response.Result.Message, `already, as "one"; change that entry, or delete it first`)

	other := stampedDocument("two", `"image": "nginx:1.28"`)
	response = admit(admissionv1.Update, false, other, two)
	assert.False(t, response.Allowed, "an update may not become a duplicate either")
	assert.True(t, admit(admissionv1.Update, false, two, stampedDocument("two", `"image": "nginx:1.29", "channel": "dev"`)).Allowed,
		"an entry that keeps its image is not asked for its claim")
	assert.Equal(t, []string{"index.docker.io/library/nginx:1.29 one"}, claims(ctx, t))
}

// The API server is asked about the one who wrote the request, with all that it knows of them.
func TestValidatingARestore(t *testing.T) {
	ctx, validation := newController(t, NewValidation)
	var asked []authorizationv1.SubjectAccessReviewSpec
	kubeclient.Get(ctx).PrependReactor("create", "subjectaccessreviews", func(action clientgotesting.Action) (bool, runtime.Object, error) {
		create, ok := action.(clientgotesting.CreateAction)
		require.True(t, ok)
		review, ok := create.GetObject().(*authorizationv1.SubjectAccessReview)
		require.True(t, ok)
		asked = append(asked, review.Spec)
		review.Status.Allowed = slices.Contains(review.Spec.Groups, "backup")
		return true, review, nil
	})
	restore := func(groups ...string) *admissionv1.AdmissionResponse {
		r := request(admissionv1.Create, "", strings.Replace(stampedDocument("old", `"image": "a/b:1"`), `"alice"`, `"bob"`, 1))
		r.UserInfo = authenticationv1.UserInfo{Username: "alice", UID: "1", Groups: groups, Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}}}
		return validation.Admit(ctx, r)
	}
	assert.Contains(t, restore("users").Result.Message, `must not be set to "bob": metadata.annotations[imagecatalog.dev/creator]`)
	assert.True(t, restore("users", "backup").Allowed)
	require.Len(t, asked, 2)
	assert.Equal(t, authorizationv1.SubjectAccessReviewSpec{
		User: "alice", UID: "1", Groups: []string{"users", "backup"}, Extra: map[string]authorizationv1.ExtraValue{"scopes": {"a", "b"}},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "radar", Name: "old", Verb: "restore",
			Group: "imagecatalog.dev", Version: "v1alpha1", Resource: "catalogimages"},
	}, asked[1])
	assert.True(t, validation.Admit(ctx, request(admissionv1.Create, "", stampedDocument("new", `"image": "a/b:2"`))).Allowed)
	assert.Len(t, asked, 2, "an ordinary request asks nothing")
}

func TestDefaultingWhatIsNoEntryPatchesNothing(t *testing.T) {
	ctx, defaulting := newController(t, NewDefaulting)
	bad := document("bad", `"team": "radar"`, `"image": "a/b:1", "checkInterval": "soon", "channel": "dev"`)
	assert.Empty(t, patched(t, defaulting.Admit(ctx, request(admissionv1.Create, "", bad))), "the schema has something to say")
	good := document("bad", `"team": "radar"`, `"image": "a/b:1", "channel": "dev"`)
	assert.Contains(t, patched(t, defaulting.Admit(ctx, request(admissionv1.Update, bad, good))), "/metadata/labels/imagecatalog.dev~1channel")
}

func TestDeletingIsNobodysBusiness(t *testing.T) {
	ctx, validation := newController(t, NewValidation)
	assert.True(t, validation.Admit(ctx, request(admissionv1.Delete, document("autosd", "", `"image": "UPPER/case:1"`), "")).Allowed)
	assert.Empty(t, claims(ctx, t))
}

// claims are the claims in the system namespace, each as "identity holder".
func claims(ctx context.Context, t *testing.T) []string {
	t.Helper()
	leases, err := kubeclient.Get(ctx).CoordinationV1().Leases(system.Namespace()).List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	var claims []string
	for _, lease := range leases.Items {
		claims = append(claims, lease.Annotations["imagecatalog.dev/identity"]+" "+*lease.Spec.HolderIdentity)
	}
	return claims
}

// reviewConfig has the webhook judge a ConfigMap.
func reviewConfig(t *testing.T, config *corev1.ConfigMap) *admissionv1.AdmissionResponse {
	t.Helper()
	ctx, validation := newController(t, NewConfigValidation)
	r := request(admissionv1.Update, "", string(encoded(t, config)))
	r.Kind = metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	r.Resource = metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	return validation.Admit(ctx, r)
}

func TestValidatingConfiguration(t *testing.T) {
	for title, test := range map[string]struct {
		name, key, value string
		allowed          bool
	}{
		"logging":                  {"config-logging", "loglevel.webhook", "debug", true},
		"a level that is none":     {"config-logging", "loglevel.webhook", "loud", false},
		"metrics":                  {"config-observability", "metrics-protocol", "prometheus", true},
		"a protocol that is none":  {"config-observability", "metrics-protocol", "carrier-pigeon", false},
		"registries":               {"config-registries", "allowed", "quay.io/**", true},
		"a pattern that is none":   {"config-registries", "allowed", "quay.io", false},
		"somebody else's settings": {"config-other", "loglevel.webhook", "loud", true},
	} {
		response := reviewConfig(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: test.name}, Data: map[string]string{test.key: test.value}})
		assert.Equal(t, test.allowed, response.Allowed, "%s: %v", title, response.Result)
	}
}

// A name that config/ does not have would leave the webhook without its rules, and everything admitted.
func TestTheConfigurationsAreInstalled(t *testing.T) {
	manifest, err := os.ReadFile("../../config/500-webhooks.yaml")
	require.NoError(t, err)
	for kind, names := range map[string][]string{
		"MutatingWebhookConfiguration":   {defaultingName},
		"ValidatingWebhookConfiguration": {validationName, configName},
	} {
		assert.Equal(t, len(names), strings.Count(string(manifest), "kind: "+kind))
		for _, name := range names {
			assert.Contains(t, string(manifest), "kind: "+kind+"\nmetadata:\n  name: "+name+"\n")
		}
	}
}
