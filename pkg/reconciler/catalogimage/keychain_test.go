package catalogimage

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clientgotesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func pullSecret(t *testing.T, namespace, secret, host, user string) *corev1.Secret {
	t.Helper()
	config, err := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]string{"username": user, "password": "of " + user}}})
	require.NoError(t, err)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secret},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: config},
	}
}

func serviceAccount(namespace, account string, secrets ...corev1.LocalObjectReference) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}, ImagePullSecrets: secrets}
}

func secrets(names ...string) option {
	return func(i *v1alpha1.CatalogImage) {
		for _, secret := range names {
			i.Spec.ImagePullSecrets = append(i.Spec.ImagePullSecrets, v1alpha1.PullSecret{Name: secret})
		}
	}
}

func account(name string) option {
	return func(i *v1alpha1.CatalogImage) { i.Spec.ServiceAccountName = name }
}

func TestPullSecrets(t *testing.T) {
	const anonymous = ""
	for title, test := range map[string]struct {
		entry *v1alpha1.CatalogImage
		users map[string]string // by image
		reads []string
	}{
		"none are named": {entry(), map[string]string{"quay.io/acme/autosd": anonymous, "ghcr.io/acme/autosd": anonymous}, nil},
		"a secret": {
			entry(secrets("quay")),
			map[string]string{"quay.io/acme/autosd": "robot", "quay.io:8443/acme/autosd": anonymous, "ghcr.io/acme/autosd": anonymous},
			[]string{"get secrets radar/quay"},
		},
		"two secrets": {
			entry(secrets("quay", "ghcr")),
			map[string]string{"quay.io/acme/autosd": "robot", "ghcr.io/acme/autosd": "octocat"},
			[]string{"get secrets radar/quay", "get secrets radar/ghcr"},
		},
		"a service account": {
			entry(account("puller")),
			map[string]string{"quay.io/acme/autosd": anonymous, "ghcr.io/acme/autosd": "octocat"},
			[]string{"get serviceaccounts radar/puller", "get secrets radar/ghcr"},
		},
		"a secret and a service account": {
			entry(secrets("quay"), account("puller")),
			map[string]string{"quay.io/acme/autosd": "robot", "ghcr.io/acme/autosd": "octocat"},
			[]string{"get secrets radar/quay", "get serviceaccounts radar/puller", "get secrets radar/ghcr"},
		},
		"a secret of another namespace": {
			entry(secrets("theirs")),
			map[string]string{"quay.io/acme/autosd": anonymous},
			[]string{"get secrets radar/theirs"},
		},
		"a service account of another namespace": {
			entry(account("their-puller")),
			map[string]string{"quay.io/acme/autosd": anonymous},
			[]string{"get serviceaccounts radar/their-puller"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			kube := fake.NewClientset(
				pullSecret(t, "radar", "quay", "quay.io", "robot"),
				pullSecret(t, "radar", "ghcr", "https://ghcr.io", "octocat"),
				serviceAccount("radar", "puller", corev1.LocalObjectReference{Name: "ghcr"}),
				serviceAccount("radar", "default", corev1.LocalObjectReference{Name: "quay"}),
				pullSecret(t, "lidar", "theirs", "quay.io", "stranger"),
				serviceAccount("lidar", "their-puller", corev1.LocalObjectReference{Name: "theirs"}),
			)
			keychain, err := pullSecrets{kube}.For(t.Context(), test.entry)
			require.NoError(t, err)
			for image, user := range test.users {
				repository, err := name.NewRepository(image)
				require.NoError(t, err)
				authenticator, err := authn.Resolve(t.Context(), keychain, repository)
				require.NoError(t, err)
				credentials, err := authn.Authorization(t.Context(), authenticator)
				require.NoError(t, err)
				assert.Equal(t, user, credentials.Username, image)
			}
			var reads []string
			for _, action := range kube.Actions() {
				read := action.(clientgotesting.GetAction)
				reads = append(reads, read.GetVerb()+" "+read.GetResource().Resource+" "+read.GetNamespace()+"/"+read.GetName())
			}
			assert.Equal(t, test.reads, reads)
		})
	}
}

func TestPullSecretsThatCannotBeRead(t *testing.T) {
	down := errors.New("connection refused")
	kube := fake.NewClientset()
	kube.PrependReactor("get", "*", func(clientgotesting.Action) (bool, runtime.Object, error) { return true, nil, down })
	for _, named := range []option{secrets("quay"), account("puller")} {
		_, err := pullSecrets{kube}.For(t.Context(), entry(named))
		assert.EqualError(t, err, "reading the pull secrets of radar/autosd: connection refused")
		assert.ErrorIs(t, err, down)
	}
}
