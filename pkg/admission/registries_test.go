package admission

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	clientgotesting "k8s.io/client-go/testing"
	"knative.dev/pkg/apis"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/system"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// registriesConfig is config-registries with pairs of a key and its value.
func registriesConfig(pairs ...string) *corev1.ConfigMap {
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: registry.ConfigMapName}, Data: map[string]string{}}
	for n := 0; n < len(pairs); n += 2 {
		config.Data[pairs[n]] = pairs[n+1]
	}
	return config
}

// allowing are settings that allow what a pattern matches.
func allowing(t *testing.T, pattern string) Registries {
	t.Helper()
	settings, err := registry.ParseSettings(map[string]string{"allowed": pattern})
	require.NoError(t, err)
	return settings
}

func TestWhichRequestsAreHeldAgainstTheAllowedRepositories(t *testing.T) {
	create := apis.WithinCreate(t.Context())
	updating := func(before *admittedImage) context.Context { return apis.WithinUpdate(t.Context(), before) }
	const foreign = "evil.example/quay.io/acme/os"
	pin := "@sha256:" + strings.Repeat("a", 64)
	for title, test := range map[string]struct {
		ctx     context.Context
		entry   *admittedImage
		refused bool
	}{
		"an allowed image":                      {create, admitted(image("quay.io/acme/os:1")), false},
		"in another spelling":                   {create, admitted(image("QUAY.io:443/acme/os")), false},
		"a foreign image":                       {create, admitted(image(foreign)), true},
		"a foreign image, tried":                {apis.WithDryRun(create), admitted(image(foreign)), true},
		"a foreign image, pinned":               {create, admitted(image(foreign + pin)), true},
		"an update from a foreign image":        {updating(admitted(image(foreign))), admitted(), false},
		"an update to a foreign image":          {updating(admitted()), admitted(image(foreign)), true},
		"another tag of a foreign image":        {updating(admitted(image(foreign + ":1"))), admitted(image(foreign + ":2")), true},
		"a pin of a foreign image":              {updating(admitted(image(foreign))), admitted(image(foreign + pin)), true},
		"a foreign image as it was":             {updating(admitted(image(foreign))), admitted(image(foreign), channel("prod")), false},
		"a foreign image in another spelling":   {updating(admitted(image(foreign))), admitted(image("evil.example.:443/quay.io/acme/os:latest")), false},
		"the stored one names no image":         {updating(admitted(image("UPPER/case:1"))), admitted(image(foreign)), true},
		"the stored one is unreadable":          {updating(unreadable(t, `{"spec": {"tags": 1}}`)), admitted(image(foreign)), true},
		"no stored object":                      {updating(nil), admitted(image(foreign)), true},
		"no image, which has words of its own":  {create, admitted(image("UPPER/case:1")), false},
		"a foreign image loses its finalizer":   {updating(admitted()), admitted(image(foreign), deleting), false},
		"a foreign image that hides behind tag": {create, admitted(image("evil.example/os:quay.io-acme")), true},
	} {
		test.entry.registries = allowing(t, "quay.io/acme/*")
		assert.Equal(t, test.refused, test.entry.validateRepository(test.ctx) != nil, title)
	}
}

func TestWhatIsSaidAboutAForeignImage(t *testing.T) {
	entry := admitted(image("nginx:1.29"))
	entry.registries = allowing(t, "quay.io/**")
	assert.EqualError(t, entry.Validate(apis.WithinCreate(t.Context())), "no images of index.docker.io/library/nginx are allowed: spec.image\n"+
		"use one of an allowed repository, or ask an administrator of the catalog to allow this one: "+
		`it matches no line of "allowed" in ConfigMap config-registries of namespace `+system.Namespace())
}

func TestAForeignImageTakesNoClaim(t *testing.T) {
	ctx, _ := newController(t, NewDefaulting)
	watcher := newWatcher(ctx)
	validation, ok := NewValidation(ctx, watcher).Reconciler.(admitting)
	require.True(t, ok)
	watcher.OnChange(registriesConfig("allowed", "quay.io/**"))
	kubeclient.Get(ctx).ClearActions()

	response := validation.Admit(ctx, request(admissionv1.Create, "", stampedDocument("nginx", `"image": "nginx"`)))
	assert.False(t, response.Allowed)
	assert.Contains(t, response.Result.Message, "no images of index.docker.io/library/nginx are allowed")
	assert.Empty(t, kubeclient.Get(ctx).Actions(), "and the API server is not asked for it")
	assert.True(t, validation.Admit(ctx, request(admissionv1.Create, "", stampedDocument("autosd", `"image": "quay.io/acme/autosd"`))).Allowed)
}

// One line from no ConfigMap to one, another, one that cannot be read, and none again, by knative's own watcher.
func TestTheSettingsAreFollowed(t *testing.T) {
	ctx := fakeContext(t)
	watcher := newWatcher(ctx)
	followed := followRegistries(ctx, watcher)
	configs, watched := kubeclient.Get(ctx).CoreV1().ConfigMaps(system.Namespace()), watchOfConfigs(ctx)
	require.NoError(t, watcher.Start(ctx.Done()), "without a ConfigMap")
	<-watched
	assert.NoError(t, followed.Allows(repository(t, "quay.io/acme/os")), "everything is allowed then")

	steps := []struct {
		title string
		write func() error
		allow string // the one of the two repositories; "" for both
	}{
		{"made", creating(ctx, configs, registriesConfig("allowed", "quay.io/**")), "quay.io/acme/os"},
		{"changed", updatingTo(ctx, configs, registriesConfig("allowed", "docker.io/**")), "docker.io/acme/os"},
		{"broken", updatingTo(ctx, configs, registriesConfig("allowed", "quay.io")), "docker.io/acme/os"},
		{"mended", updatingTo(ctx, configs, registriesConfig("allowed", "quay.io/**", "hosts", "")), "quay.io/acme/os"},
		{"emptied", updatingTo(ctx, configs, registriesConfig()), ""},
		{"filled", updatingTo(ctx, configs, registriesConfig("allowed", "docker.io/**")), "docker.io/acme/os"},
		{"deleted", func() error { return configs.Delete(ctx, registry.ConfigMapName, metav1.DeleteOptions{}) }, ""},
	}
	for _, step := range steps {
		require.NoError(t, step.write(), step.title)
		holds := func() bool {
			for _, each := range []string{"quay.io/acme/os", "docker.io/acme/os"} {
				if allowed := followed.Allows(repository(t, each)) == nil; allowed != (step.allow == "" || step.allow == each) {
					return false
				}
			}
			return true
		}
		if step.title == "broken" {
			assert.Never(t, func() bool { return !holds() }, 200*time.Millisecond, 10*time.Millisecond, step.title)
		}
		require.Eventually(t, holds, 10*time.Second, time.Millisecond, step.title)
	}
}

// watchOfConfigs is closed when there is one: the fake API server forgets what changes between a list and its watch.
func watchOfConfigs(ctx context.Context) <-chan struct{} {
	client, watched := kubeclient.Get(ctx), make(chan struct{})
	begun := sync.OnceFunc(func() { close(watched) })
	client.PrependWatchReactor("configmaps", func(action clientgotesting.Action) (bool, watch.Interface, error) {
		defer begun()
		events, err := client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		return true, events, err
	})
	return watched
}

func creating(ctx context.Context, configs typedcorev1.ConfigMapInterface, config *corev1.ConfigMap) func() error {
	return func() error { _, err := configs.Create(ctx, config, metav1.CreateOptions{}); return err }
}

func updatingTo(ctx context.Context, configs typedcorev1.ConfigMapInterface, config *corev1.ConfigMap) func() error {
	return func() error { _, err := configs.Update(ctx, config, metav1.UpdateOptions{}); return err }
}

func repository(t *testing.T, text string) name.Repository {
	t.Helper()
	reference, err := (&v1alpha1.CatalogImageSpec{Image: text}).Reference()
	require.NoError(t, err)
	return reference.Context()
}

func TestSettingsOfTheFirstMomentThatCannotBeRead(t *testing.T) {
	followed := &followedRegistries{}
	followed.change(fakeContext(t), registriesConfig("allow", "quay.io/**"))
	assert.NoError(t, followed.Allows(repository(t, "quay.io/acme/os")))
}

func TestValidatingTheSettingsForRegistries(t *testing.T) {
	binary := registriesConfig()
	binary.BinaryData = map[string][]byte{"hosts": {0xff}, "allowed": {0xff, 0xfe}}
	for title, test := range map[string]struct {
		config *corev1.ConfigMap
		says   string
	}{
		"empty":           {registriesConfig(), ""},
		"only an example": {registriesConfig("_example", "anything"), ""},
		"only a comment":  {registriesConfig("allowed", "# none yet\n"), ""},
		"an unknown key":  {registriesConfig("allow", "quay.io/**"), `allow: there is no such setting; the settings are "allowed" and "hosts"`},
		"binary data":     {binary, "allowed: it is binary data: write it as text in UTF-8"},
	} {
		response := reviewConfig(t, test.config)
		if test.says == "" {
			assert.True(t, response.Allowed, "%s: %v", title, response.Result)
			continue
		}
		assert.False(t, response.Allowed, title)
		assert.Equal(t, "validation failed: "+test.says, response.Result.Message, title)
	}
}

// What is shipped sets nothing, and whoever changes the example instead of setting something is told so.
func TestTheShippedSettingsForRegistries(t *testing.T) {
	content, err := os.ReadFile("../../config/config-registries.yaml")
	require.NoError(t, err)
	config := &corev1.ConfigMap{}
	require.NoError(t, yaml.UnmarshalStrict(content, config))
	assert.Equal(t, configmap.Checksum(config.Data[configmap.ExampleKey]), config.Annotations[configmap.ExampleChecksumAnnotation],
		"write this checksum into the annotation: it is of the example as it is now")
	response := reviewConfig(t, config)
	assert.True(t, response.Allowed, "%v", response.Result)

	example := map[string]string{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(config.Data[configmap.ExampleKey]), &example))
	example["hosts"] = withoutCertificates(example["hosts"])
	assert.Contains(t, example["hosts"], "tokenServers")
	_, err = registry.ParseSettings(example)
	require.NoError(t, err, "whoever copies the example has settings that are in order")

	config.Data[configmap.ExampleKey] += "allowed: quay.io/**\n"
	response = reviewConfig(t, config)
	assert.False(t, response.Allowed)
	assert.Contains(t, response.Result.Message, `the update modifies a key in "_example" which is probably not what you want`)
}

// withoutCertificates takes out the one that the example only hints at.
func withoutCertificates(hosts string) string {
	before, rest, _ := strings.Cut(hosts, "-----BEGIN CERTIFICATE-----")
	_, after, _ := strings.Cut(rest, "-----END CERTIFICATE-----")
	return before + after
}
