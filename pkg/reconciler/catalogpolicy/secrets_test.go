package catalogpolicy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clientgotesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const catalogNamespace = "image-catalog"

func publicPEM(t *testing.T) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))
}

func secret(version string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: catalogNamespace, Name: "release", UID: "1", ResourceVersion: version}, Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

// vault is an API server with Secrets, and a watch that has seen their metadata.
type vault struct {
	*publicKeys
	kube  *kubefake.Clientset
	known cache.Store
}

func newVault() *vault {
	v := &vault{kube: kubefake.NewClientset(), known: cache.NewStore(cache.MetaNamespaceKeyFunc)}
	v.publicKeys = newPublicKeys(v.kube.CoreV1().Secrets(catalogNamespace), v.known, catalogNamespace)
	return v
}

// put stores a Secret. The fake server gives no versions of its own.
func (v *vault) put(t *testing.T, s *corev1.Secret) {
	t.Helper()
	require.NoError(t, v.kube.Tracker().Add(s))
	require.NoError(t, v.known.Add(&metav1.PartialObjectMetadata{ObjectMeta: s.ObjectMeta}))
}

func (v *vault) replace(t *testing.T, s *corev1.Secret) {
	t.Helper()
	require.NoError(t, v.kube.Tracker().Update(corev1.SchemeGroupVersion.WithResource("secrets"), s, catalogNamespace))
	require.NoError(t, v.known.Update(&metav1.PartialObjectMetadata{ObjectMeta: s.ObjectMeta}))
}

func (v *vault) reads() int { return len(v.kube.Actions()) }

func TestASecretIsReadOncePerVersion(t *testing.T) {
	v, first, second := newVault(), publicPEM(t), publicPEM(t)
	v.put(t, secret("1", map[string]string{publicKey: first, "cosign.key": "private", "cosign.password": "s3cret"}))
	for range 3 {
		data, err := v.Of(t.Context(), "release")
		require.NoError(t, err)
		assert.Equal(t, first, data)
	}
	assert.Equal(t, 1, v.reads())
	v.replace(t, secret("2", map[string]string{publicKey: second}))
	data, err := v.Of(t.Context(), "release")
	require.NoError(t, err)
	assert.Equal(t, second, data)
	assert.Equal(t, 2, v.reads())
	for _, known := range v.read {
		assert.NotContains(t, known.data, "private", "only public keys are kept")
		assert.NotContains(t, known.data, "s3cret")
	}
}

// A Secret that the watch does not know yet is read, as it is now.
func TestAWatchThatLagsBehind(t *testing.T) {
	v, text := newVault(), publicPEM(t)
	require.NoError(t, v.kube.Tracker().Add(secret("7", map[string]string{publicKey: text})))
	for range 2 {
		data, err := v.Of(t.Context(), "release")
		require.NoError(t, err)
		assert.Equal(t, text, data)
	}
	assert.Equal(t, 2, v.reads())
}

func TestWhatIsWrongWithASecret(t *testing.T) {
	const name = "the Secret image-catalog/release"
	for said, data := range map[string]map[string]string{
		name + ": it has no cosign.pub: put the public key into it under that name":                                                               {"tls.crt": "x"},
		name + ": cosign.pub is no public key: there is no PEM block where key 1 should begin: put the PEM into it that cosign public-key prints": {publicKey: "garbage"},
		name + ": cosign.pub is no public key: it holds no key: put the PEM into it that cosign public-key prints":                                {publicKey: ""},
		name + ": cosign.pub has 16385 bytes, and 16384 is the most: leave in it the keys that are in use":                                        {publicKey: strings.Repeat("x", v1alpha1.MaxKeyData+1)},
		name + ": cosign.pub is no public key: key 1: it is a private key, which belongs nowhere but to the signer: put the PEM into it that cosign public-key prints": {
			publicKey: "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
		},
	} {
		v := newVault()
		v.put(t, secret("1", data))
		_, err := v.Of(t.Context(), "release")
		var known *lack
		require.ErrorAs(t, err, &known)
		assert.EqualError(t, err, said)
		_, err = v.Of(t.Context(), "release")
		assert.EqualError(t, err, said)
		assert.Equal(t, 1, v.reads(), "that too stands until it changes")
	}
}

// A key that JSON cannot hold would be written, and differ, for ever.
func TestAKeyIsText(t *testing.T) {
	v := newVault()
	v.put(t, secret("1", map[string]string{publicKey: strings.Replace(publicPEM(t), "-----\n", "-----\nNote: \xff\n\n", 1)}))
	_, err := v.Of(t.Context(), "release")
	assert.ErrorContains(t, err, "cosign.pub is no text")
}

func TestASecretThatIsAbsentOrUnknown(t *testing.T) {
	v := newVault()
	_, err := v.Of(t.Context(), "release")
	var known *lack
	require.ErrorAs(t, err, &known)
	assert.EqualError(t, err, "the Secret image-catalog/release does not exist: make it with cosign generate-key-pair k8s://image-catalog/release, "+
		"or with cosign.pub alone by kubectl create secret generic release --namespace image-catalog --from-file cosign.pub")

	v.kube.PrependReactor("get", "secrets", func(clientgotesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("timeout") })
	_, err = v.Of(t.Context(), "release")
	require.EqualError(t, err, "reading the Secret image-catalog/release: timeout")
	assert.NotErrorAs(t, err, &known)
}

func TestASecretThatGoesIsForgotten(t *testing.T) {
	v := newVault()
	v.put(t, secret("1", map[string]string{publicKey: publicPEM(t)}))
	_, err := v.Of(t.Context(), "release")
	require.NoError(t, err)
	var changed []string
	handler := v.forgetting(func(name string) { changed = append(changed, name) })
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: secret("1", nil).ObjectMeta}
	handler.OnAdd(metadata, false)
	handler.OnUpdate(metadata, metadata)
	assert.Len(t, v.read, 1)
	handler.OnDelete(cache.DeletedFinalStateUnknown{Key: catalogNamespace + "/release", Obj: metadata})
	assert.Empty(t, v.read)
	assert.Equal(t, []string{"release", "release", "release"}, changed)
	handler.OnAdd("no object", false)
	handler.OnDelete("no object")
	assert.Len(t, changed, 3)
}
