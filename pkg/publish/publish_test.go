package publish_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	fakeregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/publish"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/result"
)

const namespace = "team-a"

// world is a registry and an API server.
type world struct {
	t      *testing.T
	host   string
	server *httptest.Server
	api    *fake.Clientset
	log    bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := httptest.NewServer(fakeregistry.New(fakeregistry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return &world{t: t, server: server, host: strings.TrimPrefix(server.URL, "http://"), api: fake.NewSimpleClientset()}
}

// push puts a small image for one platform under the reference and gives its digest.
func (w *world) push(reference string, labels map[string]string) string {
	w.t.Helper()
	layer, err := random.Layer(64, "application/vnd.oci.image.layer.v1.tar+gzip")
	require.NoError(w.t, err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	require.NoError(w.t, err)
	config, err := image.ConfigFile()
	require.NoError(w.t, err)
	config.OS, config.Architecture, config.Variant = "linux", "arm64", "v8"
	config.Config = v1.Config{Labels: labels}
	image, err = mutate.ConfigFile(image, config)
	require.NoError(w.t, err)
	w.write(reference, image)
	digest, err := image.Digest()
	require.NoError(w.t, err)
	return digest.String()
}

func (w *world) write(reference string, image v1.Image) {
	w.t.Helper()
	ref, err := name.ParseReference(w.host + "/" + reference)
	require.NoError(w.t, err)
	require.NoError(w.t, remote.Write(ref, image))
}

// publish runs the flow with params as a Task passes them.
func (w *world) publish(args ...string) (publish.Outcome, error) {
	w.t.Helper()
	var options publish.Options
	flags := flag.NewFlagSet("publish", flag.ContinueOnError)
	options.AddFlags(flags)
	require.NoError(w.t, param.Parse(flags, append([]string{"--namespace=" + namespace}, args...)))
	publisher := publish.Publisher{
		Registry: newClient(w.t),
		Entries:  w.api.ImagecatalogV1alpha1().CatalogImages(options.Namespace),
		Log:      &w.log,
	}
	return publisher.Publish(w.t.Context(), options)
}

func (w *world) entry(name string) *v1alpha1.CatalogImage {
	w.t.Helper()
	entry, err := w.api.ImagecatalogV1alpha1().CatalogImages(namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	require.NoError(w.t, err)
	return entry
}

// react answers calls to the API; the first that handles a call wins over the store of the fake.
func (w *world) react(verb string, answer func(clienttesting.Action) (bool, runtime.Object, error)) {
	w.api.PrependReactor(verb, "catalogimages", answer)
}

// writes counts the calls that would change something.
func (w *world) writes() (count int) {
	for _, action := range w.api.Actions() {
		if verb := action.GetVerb(); verb != "get" {
			count++
		}
	}
	return count
}

func TestPublishCreates(t *testing.T) {
	w := newWorld(t)
	digest := w.push("acme/autosd:rpi4-1.2", map[string]string{"com.redhat.automotive.distro": "autosd", "redhat.version-id": "a b"})

	outcome, err := w.publish("--image-url="+w.host+"/acme/autosd:rpi4-1.2", "--channel=dev", "--tags", "nightly", "nightly", "--targets", "qemu")
	require.NoError(t, err)
	wantName := "autosd-rpi4-1-2-" + strings.TrimPrefix(digest, "sha256:")[:8]
	assert.Equal(t, publish.Created, outcome.Action)
	assert.Equal(t, wantName, outcome.Name)
	assert.Equal(t, v1alpha1.PhasePending, outcome.Phase)
	assert.Equal(t, w.host+"/acme/autosd@"+digest, outcome.Pinned.Name())
	assert.Equal(t, v1alpha1.CatalogImageSpec{
		Image: w.host + "/acme/autosd:rpi4-1.2", Digest: digest, Channel: "dev", Tags: []string{"nightly"},
		Metadata: v1alpha1.ImageMetadata{
			Architecture: "arm64", OS: "linux", Variant: "v8", Distro: "autosd", Targets: []v1alpha1.Target{{Name: "qemu"}},
		},
	}, w.entry(wantName).Spec)
	assert.Contains(t, w.log.String(), `warning: the image says redhat.version-id="a b", which is left out`)
	assert.Contains(t, w.log.String(), "created team-a/"+wantName+": "+w.host+"/acme/autosd@"+digest)
}

func TestPublishTwice(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	first, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--channel=dev")
	require.NoError(t, err)

	second, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--channel=dev")
	require.NoError(t, err)
	assert.Equal(t, publish.Unchanged, second.Action)
	assert.Equal(t, first.Name, second.Name)
	assert.Equal(t, 1, w.writes(), "the second time finds the entry")

	third, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--channel=stage")
	require.NoError(t, err)
	assert.Equal(t, publish.Updated, third.Action)
	assert.Equal(t, v1alpha1.Facet("stage"), w.entry(first.Name).Spec.Channel)
}

func TestPublishKeepsWhatOthersWrote(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	outcome, err := w.publish("--image-url=" + w.host + "/acme/autosd:1")
	require.NoError(t, err)
	entry := w.entry(outcome.Name)
	entry.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled, Reason: "bricks boards"}
	entry.Spec.CheckInterval = &metav1.Duration{Duration: time.Minute}
	_, err = w.api.ImagecatalogV1alpha1().CatalogImages(namespace).Update(t.Context(), entry, metav1.UpdateOptions{})
	require.NoError(t, err)

	outcome, err = w.publish("--image-url="+w.host+"/acme/autosd:1", "--distro=autosd")
	require.NoError(t, err)
	assert.Equal(t, publish.Updated, outcome.Action)
	spec := w.entry(outcome.Name).Spec
	assert.Equal(t, v1alpha1.Facet("autosd"), spec.Metadata.Distro)
	assert.Equal(t, entry.Spec.Lifecycle, spec.Lifecycle)
	assert.Equal(t, entry.Spec.CheckInterval, spec.CheckInterval)
}

// The build knows what it built; the tag may be somebody else's by now.
func TestPublishTheBuildNotTheTag(t *testing.T) {
	w := newWorld(t)
	built := w.push("acme/autosd:1", nil)
	moved := w.push("acme/autosd:1", nil)
	require.NotEqual(t, built, moved)

	outcome, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--image-digest="+built)
	require.NoError(t, err)
	assert.Equal(t, built, outcome.Pinned.DigestStr())
	assert.Equal(t, built, w.entry(outcome.Name).Spec.Digest)

	absent := "sha256:" + strings.Repeat("0", 64)
	outcome, err = w.publish("--image-url="+w.host+"/acme/autosd:1", "--image-digest="+absent)
	require.ErrorContains(t, err, absent)
	assert.Equal(t, publish.ExitRefused, publish.ExitCode(err))
	assert.Empty(t, outcome.Action)
}

// A copy in another repository has the same name by default, and is not the same image.
func TestPublishDoesNotTakeTheEntryOfAnotherRepository(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	image, err := remote.Image(w.ref("acme/autosd:1"))
	require.NoError(t, err)
	w.write("mirror/autosd:1", image)
	first, err := w.publish("--image-url=" + w.host + "/acme/autosd:1")
	require.NoError(t, err)

	_, err = w.publish("--image-url=" + w.host + "/mirror/autosd:1")
	require.ErrorContains(t, err, first.Name+" is of another image, "+w.host+"/acme/autosd")
	assert.Equal(t, publish.ExitRefused, publish.ExitCode(err))

	outcome, err := w.publish("--image-url="+w.host+"/mirror/autosd:1", "--name=mirrored")
	require.NoError(t, err)
	assert.Equal(t, publish.Created, outcome.Action)
	outcome, err = w.publish("--image-url="+w.host+"/acme/autosd:1", "--name=mirrored")
	require.NoError(t, err)
	assert.Equal(t, publish.Updated, outcome.Action, "a chosen name may move")
}

func (w *world) ref(reference string) name.Reference {
	w.t.Helper()
	ref, err := name.ParseReference(w.host + "/" + reference)
	require.NoError(w.t, err)
	return ref
}

func TestPublishRetriesConflicts(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	_, err := w.publish("--image-url=" + w.host + "/acme/autosd:1")
	require.NoError(t, err)
	conflicts := 0
	w.react("update", func(clienttesting.Action) (bool, runtime.Object, error) {
		conflicts++
		return conflicts <= 2, nil, apierrors.NewConflict(v1alpha1.Resource("catalogimages"), "x", errors.New("changed meanwhile"))
	})

	outcome, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--channel=dev")
	require.NoError(t, err)
	assert.Equal(t, publish.Updated, outcome.Action)
	assert.Equal(t, 3, conflicts)
	assert.Equal(t, v1alpha1.Facet("dev"), w.entry(outcome.Name).Spec.Channel)
}

func TestPublishSurvivesTheDeletionOfTheEntry(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	refusals := 0
	w.react("create", func(clienttesting.Action) (bool, runtime.Object, error) {
		refusals++
		return refusals == 1, nil, apierrors.NewAlreadyExists(v1alpha1.Resource("catalogimages"), "x")
	})
	outcome, err := w.publish("--image-url=" + w.host + "/acme/autosd:1")
	require.NoError(t, err)
	assert.Equal(t, publish.Created, outcome.Action)
}

func TestPublishDryRun(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	var asked []string
	w.react("create", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create := action.(clienttesting.CreateActionImpl)
		asked = create.CreateOptions.DryRun
		return true, create.Object, nil
	})
	outcome, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--dry-run=true", "--wait-for=Ready")
	require.NoError(t, err)
	assert.Equal(t, []string{metav1.DryRunAll}, asked)
	assert.Equal(t, publish.DryRun, outcome.Action)
	assert.Contains(t, w.log.String(), "would be created")
}

func TestPublishRefusals(t *testing.T) {
	resource := v1alpha1.Resource("catalogimages")
	tests := map[string]struct {
		answer error
		exit   int
		want   []string
	}{
		"another entry holds the image": {
			apierrors.NewBadRequest(`admission webhook "validation.imagecatalog.dev" denied the request: the entry "nightly" is of the same image`),
			publish.ExitRefused, []string{`the entry "nightly" is of the same image`, "publish under that NAME"},
		},
		"another entry is on its way": {
			apierrors.NewBadRequest((&claim.PendingError{By: "nightly", RetryAfter: time.Minute}).Error()),
			publish.ExitUndecided, []string{"retry in 60 s", "Run the task again"},
		},
		"no right":              {apierrors.NewForbidden(resource, "x", errors.New("no")), publish.ExitRefused, []string{"imagecatalog-publish", namespace}},
		"no such namespace":     {apierrors.NewNotFound(v1alpha1.Resource("namespaces"), namespace), publish.ExitRefused, []string{`"team-a" not found`, "correct NAMESPACE"}},
		"webhook without reply": {apierrors.NewInternalError(errors.New("failed calling webhook")), publish.ExitUndecided, []string{"failed calling webhook", "Run the task again"}},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t)
			w.push("acme/autosd:1", nil)
			w.react("create", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, test.answer })
			outcome, err := w.publish("--image-url=" + w.host + "/acme/autosd:1")
			assert.Equal(t, test.exit, publish.ExitCode(err))
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotEmpty(t, outcome.Name, "what is known is there beside the error")
		})
	}
}

func TestPublishWithTheRegistryDown(t *testing.T) {
	w := newWorld(t)
	w.server.Close()
	outcome, err := w.publish("--image-url=" + w.host + "/acme/autosd:1")
	assert.Equal(t, publish.ExitUndecided, publish.ExitCode(err))
	assert.ErrorContains(t, err, "check that "+w.host+" runs")
	assert.Equal(t, publish.Outcome{Namespace: namespace}, outcome)
	assert.Zero(t, w.writes())
}

func TestPublishWhatTheSettingsBlock(t *testing.T) {
	w := newWorld(t)
	_, err := w.publish("--image-url=10.0.0.7:5000/acme/autosd:1")
	assert.Equal(t, publish.ExitUndecided, publish.ExitCode(err))
	assert.ErrorContains(t, err, "have privateAddresses set for 10.0.0.7:5000 in config-registries")
	assert.ErrorContains(t, err, "run the task again when the ConfigMap of REGISTRIES lets it ask")
	assert.Zero(t, w.writes())
}

// status lets the controller of the fake world judge the entry when it is read for the n-th time.
func (w *world) status(reads int, mark func(*v1alpha1.CatalogImage)) {
	w.react("create", func(action clienttesting.Action) (bool, runtime.Object, error) {
		action.(clienttesting.CreateActionImpl).Object.(*v1alpha1.CatalogImage).Generation = 1
		return false, nil, nil
	})
	w.react("get", func(action clienttesting.Action) (bool, runtime.Object, error) {
		reads--
		stored, err := w.api.Tracker().Get(action.GetResource(), action.GetNamespace(), action.(clienttesting.GetAction).GetName())
		if err != nil || reads > 0 {
			return true, stored, err
		}
		entry := stored.(*v1alpha1.CatalogImage).DeepCopy()
		mark(entry)
		entry.Status.Phase = entry.Status.DerivePhase()
		return true, entry, nil
	})
}

func TestPublishWaits(t *testing.T) {
	judge := func(verdict func(*v1alpha1.CatalogImageStatus)) func(*v1alpha1.CatalogImage) {
		return func(entry *v1alpha1.CatalogImage) {
			entry.GetConditionSet().Manage(&entry.Status).InitializeConditions()
			entry.Status.ObservedGeneration = entry.Generation
			entry.Status.MarkUnique()
			entry.Status.MarkNoPolicy()
			verdict(&entry.Status)
		}
	}
	resolved := judge(func(s *v1alpha1.CatalogImageStatus) { s.Digest = "sha256:0"; s.MarkResolved() })
	tests := map[string]struct {
		condition string
		reads     int
		mark      func(*v1alpha1.CatalogImage)
		exit      int
		phase     v1alpha1.Phase
		want      string
	}{
		"at once":  {"Ready", 1, resolved, 0, v1alpha1.PhaseAvailable, ""},
		"later":    {"Resolved", 2, resolved, 0, v1alpha1.PhaseAvailable, ""},
		"does not": {"Ready", 1, judge(func(s *v1alpha1.CatalogImageStatus) { s.MarkUnresolved("NotFound", "no such image") }), publish.ExitRefused, v1alpha1.PhaseFailed, "is not Ready: NotFound: no such image"},
		"unknown": {"Resolved", 1, judge(func(s *v1alpha1.CatalogImageStatus) { s.MarkOutage("Throttled", "too many requests", time.Now()) }),
			publish.ExitUndecided, v1alpha1.PhaseVerifying, "Resolved was Unknown at last: Throttled: too many requests"},
		"stale": {"Ready", 1, func(entry *v1alpha1.CatalogImage) { resolved(entry); entry.Status.ObservedGeneration = 0 },
			publish.ExitUndecided, v1alpha1.PhasePending, "the controller has not looked at the entry yet"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t)
			w.push("acme/autosd:1", nil)
			w.status(test.reads, test.mark)
			outcome, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--wait-for="+test.condition, "--timeout=1500ms")
			assert.Equal(t, test.exit, publish.ExitCode(err), "%v", err)
			assert.Equal(t, test.phase, outcome.Phase)
			assert.Equal(t, publish.Created, outcome.Action)
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
			}
		})
	}
}

func TestPublishWaitsThroughTrouble(t *testing.T) {
	w := newWorld(t)
	w.push("acme/autosd:1", nil)
	var now, afterCreate error
	w.react("create", func(clienttesting.Action) (bool, runtime.Object, error) {
		now = afterCreate
		return false, nil, nil
	})
	w.react("get", func(clienttesting.Action) (bool, runtime.Object, error) { return now != nil, nil, now })

	afterCreate = apierrors.NewServiceUnavailable("restarting")
	_, err := w.publish("--image-url="+w.host+"/acme/autosd:1", "--wait-for=Ready", "--timeout=1s")
	assert.Equal(t, publish.ExitUndecided, publish.ExitCode(err))
	assert.ErrorContains(t, err, "the catalog could not be read at last: restarting")

	now, afterCreate = nil, apierrors.NewNotFound(v1alpha1.Resource("catalogimages"), "x")
	_, err = w.publish("--image-url="+w.host+"/acme/autosd:1", "--wait-for=Ready", "--name=deleted", "--timeout=1s")
	assert.Equal(t, publish.ExitRefused, publish.ExitCode(err))
}

func TestPublishRefusesParams(t *testing.T) {
	w := newWorld(t)
	for want, args := range map[string][]string{
		"param IMAGE_URL: ":          {},
		"param NAMESPACE: it is emp": {"--image-url=a.io/b:c"},
		"param TIMEOUT: -1s is no t": {"--image-url=a.io/b:c", "--timeout=-1s"},
	} {
		options := publish.Options{}
		flags := flag.NewFlagSet("publish", flag.ContinueOnError)
		options.AddFlags(flags)
		require.NoError(t, param.Parse(flags, args))
		if !strings.Contains(want, "NAMESPACE") {
			options.Namespace = namespace
		}
		_, err := (&publish.Publisher{Log: io.Discard}).Publish(t.Context(), options)
		assert.ErrorContains(t, err, want)
		assert.Equal(t, param.ExitCode, publish.ExitCode(err))
	}
	for want, arg := range map[string]string{
		`param BOOTC: "maybe" is not understood; write "true", "false" or nothing`:        "--bootc=maybe",
		`param WAIT_FOR: "Available" is not understood; write Resolved, Ready or nothing`: "--wait-for=Available",
		`param TIMEOUT: "2" is not understood; write a duration such as "90s" or "2m"`:    "--timeout=2",
		`param DRY_RUN: "server" is not understood; write "true" or "false"`:              "--dry-run=server",
	} {
		flags := flag.NewFlagSet("publish", flag.ContinueOnError)
		new(publish.Options).AddFlags(flags)
		assert.EqualError(t, param.Parse(flags, []string{arg}), want)
	}
	assert.Zero(t, w.writes())
}

func TestExitCodeOfOtherErrors(t *testing.T) {
	assert.Equal(t, 0, publish.ExitCode(nil))
	assert.Equal(t, publish.ExitUndecided, publish.ExitCode(context.Canceled))
}

func TestOutcomeResults(t *testing.T) {
	pinned, err := name.NewDigest("quay.io/acme/autosd@sha256:" + strings.Repeat("a", 64))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, publish.Outcome{
		Name: "autosd", Namespace: namespace, Pinned: pinned, Action: publish.Created, Phase: v1alpha1.PhaseAvailable,
	}.WriteTo(result.NewDir(dir)))
	assert.Equal(t, map[string]string{
		"CATALOG_NAME": "autosd", "CATALOG_NAMESPACE": namespace, "ACTION": "created", "PHASE": "Available", "PINNED_REF": pinned.Name(),
		"CATALOG_ARTIFACT_INPUTS": `{"digest":"` + pinned.DigestStr() + `","uri":"quay.io/acme/autosd"}`,
	}, read(t, dir))

	dir = t.TempDir()
	require.NoError(t, publish.Outcome{Namespace: namespace}.WriteTo(result.NewDir(dir)))
	assert.Equal(t, map[string]string{"CATALOG_NAMESPACE": namespace}, read(t, dir), "what is not known is not written")
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
		found[file.Name()] = string(content)
	}
	return found
}

// newClient may ask this machine by plain HTTP.
func newClient(t *testing.T) *registry.Client {
	t.Helper()
	settings, err := registry.ParseSettings(map[string]string{"hosts": "127.0.0.1: {plainHTTP: true, privateAddresses: true}"})
	require.NoError(t, err)
	return registry.New(settings)
}
