package certificate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "knative.dev/pkg/client/injection/kube/client/fake"
	secretinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret"
	_ "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret/fake"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/system"
	_ "knative.dev/pkg/system/testing"
	"knative.dev/pkg/webhook"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

func TestTheCurrentCertificateIsServed(t *testing.T) {
	ctx, _ := rtesting.SetupFakeContext(t)
	ctx = webhook.WithOptions(ctx, webhook.Options{SecretName: "webhook-certs"})
	serving, secrets := Serving(ctx), secretinformer.Get(ctx).Informer().GetIndexer()
	_, err := serving(nil)
	assert.ErrorContains(t, err, "reading the certificate: ")

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: "webhook-certs"}}
	require.NoError(t, secrets.Add(secret))
	_, err = serving(nil)
	assert.ErrorContains(t, err, "reading the certificate in secret webhook-certs: ")

	for _, service := range []string{"one", "two"} { // a renewal needs no restart
		made, err := issue(service, secret.Namespace, time.Now(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		secret = secret.DeepCopy()
		secret.Data = map[string][]byte{certresources.ServerKey: made.key, certresources.ServerCert: made.certificate}
		require.NoError(t, secrets.Update(secret))
		served, err := serving(nil)
		require.NoError(t, err)
		assert.NoError(t, served.Leaf.VerifyHostname(service+"."+secret.Namespace+".svc"))
	}
}
