package catalogimage

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clientgotesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
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
		lacks []string
	}{
		"none are named": {entry(), map[string]string{"quay.io/acme/autosd": anonymous, "ghcr.io/acme/autosd": anonymous}, nil, nil},
		"a secret": {
			entry(secrets("quay")),
			map[string]string{"quay.io/acme/autosd": "robot", "quay.io:8443/acme/autosd": anonymous, "ghcr.io/acme/autosd": anonymous},
			[]string{"get secrets radar/quay"}, nil,
		},
		"two secrets": {
			entry(secrets("quay", "ghcr")),
			map[string]string{"quay.io/acme/autosd": "robot", "ghcr.io/acme/autosd": "octocat"},
			[]string{"get secrets radar/quay", "get secrets radar/ghcr"}, nil,
		},
		"a service account": {
			entry(account("puller")),
			map[string]string{"quay.io/acme/autosd": anonymous, "ghcr.io/acme/autosd": "octocat"},
			[]string{"get serviceaccounts radar/puller", "get secrets radar/ghcr"}, nil,
		},
		"a secret and a service account": {
			entry(secrets("quay"), account("puller")),
			map[string]string{"quay.io/acme/autosd": "robot", "ghcr.io/acme/autosd": "octocat"},
			[]string{"get secrets radar/quay", "get serviceaccounts radar/puller", "get secrets radar/ghcr"}, nil,
		},
		"a secret of another namespace": {
			entry(secrets("theirs")),
			map[string]string{"quay.io/acme/autosd": anonymous},
			[]string{"get secrets radar/theirs"}, []string{"the secret radar/theirs does not exist"},
		},
		"a service account of another namespace": {
			entry(account("their-puller")),
			map[string]string{"quay.io/acme/autosd": anonymous},
			[]string{"get serviceaccounts radar/their-puller"}, []string{"the service account radar/their-puller does not exist"},
		},
		"secrets that are of no use": {
			entry(secrets("opaque", "broken", "quay")),
			map[string]string{"quay.io/acme/autosd": "robot"},
			[]string{"get secrets radar/opaque", "get secrets radar/broken", "get secrets radar/quay"},
			[]string{
				"the secret radar/opaque is of type Opaque and no pull secret: make one of type kubernetes.io/dockerconfigjson",
				"the secret radar/broken is no Docker config.json: the JSON is broken at byte 1",
			},
		},
		"an older form": {entry(secrets("older")), map[string]string{"quay.io/acme/autosd": "old-robot"}, []string{"get secrets radar/older"}, nil},
	} {
		t.Run(title, func(t *testing.T) {
			kube := fake.NewClientset(
				pullSecret(t, "radar", "quay", "quay.io", "robot"),
				pullSecret(t, "radar", "ghcr", "https://ghcr.io", "octocat"),
				serviceAccount("radar", "puller", corev1.LocalObjectReference{Name: "ghcr"}),
				serviceAccount("radar", "default", corev1.LocalObjectReference{Name: "quay"}),
				&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "opaque"}, Type: corev1.SecretTypeOpaque},
				&corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "broken"}, Type: corev1.SecretTypeDockerConfigJson,
					Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("s3cret")},
				},
				&corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "older"}, Type: corev1.SecretTypeDockercfg,
					Data: map[string][]byte{corev1.DockerConfigKey: []byte(`{"quay.io": {"username": "old-robot", "password": "s3cret"}}`)},
				},
				pullSecret(t, "lidar", "theirs", "quay.io", "stranger"),
				serviceAccount("lidar", "their-puller", corev1.LocalObjectReference{Name: "theirs"}),
			)
			keychain, err := reading(kube, nil).For(t.Context(), test.entry, referenceOf(t, test.entry))
			require.NoError(t, err)
			assert.Equal(t, test.lacks, keychain.Lacks)
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

// An entry of a secret that cannot be read is an error for its own host, where the catalog's own credentials do not stand in
// for it.
func TestAPullSecretWithAnEntryThatCannotBeRead(t *testing.T) {
	settings, err := registry.ParseSettings(map[string]string{"hosts": "quay.io: {serviceAccountToken: true}"})
	require.NoError(t, err)
	kube := fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "mixed"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths": {"quay.io": {"auth": "s3c"}, "ghcr.io": {"username": "octocat", "password": "s"}}}`)},
	})
	for named, says := range map[string]string{"ghcr.io/acme/autosd": "", "quay.io/acme/autosd": `the secret radar/mixed, entry "quay.io": its auth is no base64`} {
		entry := entry(secrets("mixed"), image(named))
		keychain, err := reading(kube, settings).For(t.Context(), entry, referenceOf(t, entry))
		require.NoError(t, err)
		assert.Empty(t, keychain.Lacks, "the secret is of use")
		found, err := authn.Resolve(t.Context(), keychain, referenceOf(t, entry).Context())
		if says != "" {
			assert.EqualError(t, err, says)
			continue
		}
		require.NoError(t, err)
		config, err := authn.Authorization(t.Context(), found)
		require.NoError(t, err)
		assert.Equal(t, "octocat", config.Username)
	}
}

func TestPullSecretsThatCannotBeRead(t *testing.T) {
	down := errors.New("connection refused")
	kube := fake.NewClientset()
	kube.PrependReactor("get", "*", func(clientgotesting.Action) (bool, runtime.Object, error) { return true, nil, down })
	for source, named := range map[string]option{"secret radar/quay": secrets("quay"), "service account radar/puller": account("puller")} {
		_, err := reading(kube, nil).For(t.Context(), entry(named), referenceOf(t, entry()))
		assert.EqualError(t, err, "reading the "+source+": connection refused")
		assert.ErrorIs(t, err, down)
	}
}

// reading reads credentials by the given settings.
func reading(kube kubernetes.Interface, settings *registry.Settings) *credentials {
	return &credentials{
		kube: kube, namespace: "image-catalog",
		settings: func() *registry.Settings { return settings },
		ownToken: func() (string, error) { return "own-token", nil },
	}
}

func referenceOf(t *testing.T, entry *v1alpha1.CatalogImage) name.Reference {
	t.Helper()
	ref, err := entry.Spec.Reference()
	require.NoError(t, err)
	return ref
}

func TestTheCatalogsOwnCredentials(t *testing.T) {
	settings, err := registry.ParseSettings(map[string]string{"hosts": "quay.io: {pullSecret: own}\nopenshift.svc:5000: {serviceAccountToken: true}"})
	require.NoError(t, err)
	kube := fake.NewClientset(
		pullSecret(t, "radar", "quay", "quay.io/acme", "robot"),
		pullSecret(t, "image-catalog", "own", "quay.io", "catalog"),
	)
	for title, test := range map[string]struct {
		entry    *v1alpha1.CatalogImage
		user     string
		password string
	}{
		"by a secret":               {entry(), "catalog", "of catalog"},
		"the entry's go first":      {entry(secrets("quay")), "robot", "of robot"},
		"the entry's do not fit":    {entry(secrets("quay"), image("quay.io/other/autosd")), "catalog", "of catalog"},
		"by token":                  {entry(image("openshift.svc:5000/radar/autosd")), "serviceaccount", "own-token"},
		"not for other hosts":       {entry(image("ghcr.io/acme/autosd")), "", ""},
		"not for another port":      {entry(image("openshift.svc:5001/radar/autosd")), "", ""},
		"not for a host beneath it": {entry(image("quay.io.evil.example/acme/autosd")), "", ""},
	} {
		ref := referenceOf(t, test.entry)
		keychain, err := reading(kube, settings).For(t.Context(), test.entry, ref)
		require.NoError(t, err)
		authenticator, err := authn.Resolve(t.Context(), keychain, ref.Context())
		require.NoError(t, err)
		config, err := authn.Authorization(t.Context(), authenticator)
		require.NoError(t, err)
		assert.Equal(t, test.user+" "+test.password, config.Username+" "+config.Password, title)
	}
}

func TestOwnToken(t *testing.T) {
	token, err := ownToken(&rest.Config{BearerToken: "inline"})()
	require.NoError(t, err)
	assert.Equal(t, "inline", token)

	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("mounted"), 0o600))
	token, err = ownToken(&rest.Config{BearerToken: "stale", BearerTokenFile: file})()
	require.NoError(t, err)
	assert.Equal(t, "mounted", token, "the kubelet renews the file")
}
