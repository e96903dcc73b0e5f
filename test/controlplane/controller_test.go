//go:build controlplane

package controlplane

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// pushed puts a random image into a registry of the test's own and returns its reference.
func pushed(t *testing.T) (name.Reference, string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/acme/autosd:1")
	require.NoError(t, err)
	image, err := random.Image(512, 3)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	digest, err := image.Digest()
	require.NoError(t, err)
	return ref, digest.String()
}

func TestTheControllerResolvesAnEntry(t *testing.T) {
	ref, digest := pushed(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("autosd", ref.Name()), metav1.CreateOptions{})
	require.NoError(t, err)

	entry := waitForCondition(t, entries, "autosd", apis.ConditionReady, corev1.ConditionTrue)
	assert.Equal(t, v1alpha1.PhaseAvailable, entry.Status.Phase)
	assert.Equal(t, digest, entry.Status.Digest)
	assert.EqualValues(t, 3, entry.Status.LayerCount)
	assert.Len(t, entry.Status.Layers, 3)
	assert.Positive(t, entry.Status.SizeBytes)
	assert.NotNil(t, entry.Status.LastCheckedAt)
	assert.Equal(t, entry.Generation, entry.Status.ObservedGeneration)
}

func TestAnAbsentImageIsNamedInTheStatus(t *testing.T) {
	ref, _ := pushed(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("absent", ref.Context().Tag("no-such-tag").Name()), metav1.CreateOptions{})
	require.NoError(t, err)

	entry := waitForCondition(t, entries, "absent", v1alpha1.ConditionResolved, corev1.ConditionFalse)
	assert.Equal(t, v1alpha1.PhaseFailed, entry.Status.Phase)
	assert.Equal(t, "NotFound", entry.Status.GetCondition(v1alpha1.ConditionResolved).Reason)
}

func TestADeletedImageMakesTheEntryUnavailable(t *testing.T) {
	ref, digest := pushed(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("gone", ref.Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	waitForCondition(t, entries, "gone", apis.ConditionReady, corev1.ConditionTrue)

	require.NoError(t, remote.Delete(ref.Context().Digest(digest)))
	require.NoError(t, remote.Delete(ref))
	_, err = change(t, entries, "gone", func(entry *v1alpha1.CatalogImage) {
		entry.Spec.DisplayName = "a changed spec is checked at once"
	})
	require.NoError(t, err)
	entry := waitForCondition(t, entries, "gone", v1alpha1.ConditionResolved, corev1.ConditionFalse)
	assert.Equal(t, v1alpha1.PhaseUnavailable, entry.Status.Phase)
	assert.Equal(t, digest, entry.Status.Digest, "what the entry was is kept")
}

func TestClaimsAreReleasedWithTheirEntry(t *testing.T) {
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	_, err := entries.Create(t.Context(), newEntry("held", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Len(t, claimsIn(t, namespace), 1)
	waitForCondition(t, entries, "held", v1alpha1.ConditionUnique, corev1.ConditionTrue)

	require.NoError(t, entries.Delete(t.Context(), "held", metav1.DeleteOptions{}))
	assert.Eventually(t, func() bool { return len(claimsIn(t, namespace)) == 0 }, patience, pause)
}

// change updates an entry, again when the controller has written its status meanwhile.
func change(t *testing.T, entries catalogclient.CatalogImageInterface, name string, do func(*v1alpha1.CatalogImage)) (changed *v1alpha1.CatalogImage, err error) {
	t.Helper()
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		entry, err := entries.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		do(entry)
		changed, err = entries.Update(t.Context(), entry, metav1.UpdateOptions{})
		return err
	})
	return changed, err
}

// waitForCondition waits until the status speaks of the newest spec and the condition is as wanted.
func waitForCondition(t *testing.T, entries catalogclient.CatalogImageInterface, name string, condition apis.ConditionType, want corev1.ConditionStatus) *v1alpha1.CatalogImage {
	t.Helper()
	var entry *v1alpha1.CatalogImage
	ok := assert.Eventually(t, func() bool {
		var err error
		entry, err = entries.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		found := entry.Status.GetCondition(condition)
		return entry.Status.ObservedGeneration == entry.Generation && found != nil && found.Status == want
	}, patience, pause)
	if !ok {
		t.Fatalf("%s never was %s; the status: %+v", condition, want, entry.Status)
	}
	return entry
}

// What opens private registries.
const user, password = "robot", "s3cret"

// private puts a random image into a registry of the test's own that wants a user name and password.
func private(t *testing.T) name.Reference {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	image, err := random.Image(512, 1)
	require.NoError(t, err)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/acme/private:1")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: user, Password: password})))
	return ref
}

func createPullSecret(t *testing.T, namespace, host string) {
	t.Helper()
	_, err := kube.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "pull"},
		Type:       corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths": {%q: {"username": %q, "password": %q}}}`, host, user, password)},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// A secret that comes after the entry that names it, or whose service account does, is used at once. It is read with the
// controller's own permissions.
func TestAnEntryRecoversWhenItsSecretAppears(t *testing.T) {
	ref := private(t)
	namespace := newNamespace(t)
	_, err := kube.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{
		ObjectMeta:       metav1.ObjectMeta{Name: "puller"},
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	byAccount := newEntry("by-account", ref.Name())
	byAccount.Spec.ServiceAccountName = "puller"
	bySecret := newEntry("by-secret", ref.Context().Tag("1").Name()+"@"+digestIn(t, ref))
	bySecret.Spec.ImagePullSecrets = []v1alpha1.PullSecret{{Name: "pull"}}
	for _, entry := range []*v1alpha1.CatalogImage{byAccount, bySecret} {
		_, err = entries.Create(t.Context(), entry, metav1.CreateOptions{})
		require.NoError(t, err)
		waiting := waitForCondition(t, entries, entry.Name, v1alpha1.ConditionFresh, corev1.ConditionFalse)
		fresh := waiting.Status.GetCondition(v1alpha1.ConditionFresh)
		assert.Equal(t, "Unauthorized", fresh.Reason)
		assert.Contains(t, fresh.Message, "provide a pull secret for "+ref.Context().RegistryStr())
		assert.Contains(t, fresh.Message, "; the secret "+namespace+"/pull does not exist")
	}

	began := time.Now()
	createPullSecret(t, namespace, ref.Context().RegistryStr())
	for _, entry := range []string{"by-account", "by-secret"} {
		waitForCondition(t, entries, entry, apis.ConditionReady, corev1.ConditionTrue)
	}
	assert.Less(t, time.Since(began), 20*time.Second, "not only when it is asked again anyway, after half a minute")
}

// What is applied together comes in any order: a secret may come while the entry that names it is being checked without.
func TestASecretThatComesDuringACheckIsUsedAtOnce(t *testing.T) {
	ref := private(t)
	var namespaces []string
	for n := range 20 {
		namespace := newNamespace(t)
		entry := newEntry("autosd", ref.Name())
		entry.Spec.ImagePullSecrets = []v1alpha1.PullSecret{{Name: "pull"}}
		_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), entry, metav1.CreateOptions{})
		require.NoError(t, err)
		time.Sleep(time.Duration(n) * 2 * time.Millisecond)
		createPullSecret(t, namespace, ref.Context().RegistryStr())
		namespaces = append(namespaces, namespace)
	}
	began := time.Now()
	for _, namespace := range namespaces {
		waitForCondition(t, catalog.ImagecatalogV1alpha1().CatalogImages(namespace), "autosd", apis.ConditionReady, corev1.ConditionTrue)
	}
	assert.Less(t, time.Since(began), 20*time.Second, "not only when it is asked again anyway, after half a minute")
}

func digestIn(t *testing.T, ref name.Reference) string {
	t.Helper()
	head, err := remote.Head(ref, remote.WithAuth(&authn.Basic{Username: user, Password: password}))
	require.NoError(t, err)
	return head.Digest.String()
}

// What people download is in the status, with checksums, and what refers to it.
func TestTheFilesOfADiskImage(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/acme/disk:1")
	require.NoError(t, err)
	disk := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.acme.disk.v1+json"), types.OCIManifestSchema1)
	disk, err = mutate.Append(disk, mutate.Addendum{
		Layer: static.NewLayer([]byte("qcow2"), "application/vnd.acme.qcow2"), Annotations: map[string]string{"org.opencontainers.image.title": "disk.qcow2"},
	})
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, disk))
	manifest, err := disk.Manifest()
	require.NoError(t, err)
	subject, err := partial.Descriptor(disk)
	require.NoError(t, err)
	signature := mutate.Subject(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.acme.signature"), *subject).(v1.Image)
	require.NoError(t, remote.Write(ref.Context().Tag("signature"), signature))
	signatureDigest, err := signature.Digest()
	require.NoError(t, err)

	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err = entries.Create(t.Context(), newEntry("disk", ref.Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	entry := waitForCondition(t, entries, "disk", apis.ConditionReady, corev1.ConditionTrue)
	file := manifest.Layers[0].Digest.String()
	assert.Equal(t, []v1alpha1.Artifact{{
		Name: "disk.qcow2", Type: "application/vnd.acme.qcow2", URL: "http://" + host + "/v2/acme/disk/blobs/" + file, Digest: file, SizeBytes: 5,
	}}, entry.Status.Artifacts)
	require.Len(t, entry.Status.Referrers, 1)
	assert.Equal(t, signatureDigest.String(), entry.Status.Referrers[0].Digest)
	assert.Equal(t, "application/vnd.acme.signature", entry.Status.Referrers[0].ArtifactType)
}
