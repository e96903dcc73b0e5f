//go:build controlplane

package controlplane

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// as gives the entries of a namespace as a user sees them who has a ClusterRole of config/ there.
func as(t *testing.T, user, role, namespace string) catalogclient.CatalogImageInterface {
	t.Helper()
	_, err := kube.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	impersonated := rest.CopyConfig(config)
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: user}
	client, err := versioned.NewForConfig(impersonated)
	require.NoError(t, err)
	entries := client.ImagecatalogV1alpha1().CatalogImages(namespace)
	require.Eventually(t, func() bool {
		_, err := entries.Get(t.Context(), "any", metav1.GetOptions{})
		return err != nil && !apierrors.IsForbidden(err)
	}, patience, pause, "the API server learns of a binding by a watch")
	return entries
}

// brought is an entry with the stamps that it had elsewhere.
func brought(name, image string) *v1alpha1.CatalogImage {
	entry := newEntry(name, image)
	entry.Annotations = map[string]string{
		v1alpha1.CreatorAnnotation:      "alice",
		v1alpha1.LastModifierAnnotation: "bob",
		v1alpha1.PublishedAtAnnotation:  "2025-03-01T12:00:00Z",
	}
	return entry
}

func TestOnlyARestorerBringsStamps(t *testing.T) {
	namespace := newNamespace(t)
	publisher := as(t, "publisher", "imagecatalog-publish", namespace)
	restorer := as(t, "restorer", "imagecatalog-restore", namespace)

	_, err := publisher.Create(t.Context(), brought("forged", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.ErrorContains(t, err, v1alpha1.CreatorAnnotation)
	require.ErrorContains(t, err, "imagecatalog-restore", "the refusal says what would help")

	want := brought("restored", "quay.io/acme/autosd:2").Annotations
	entry, err := restorer.Create(t.Context(), brought("restored", "quay.io/acme/autosd:2"), metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Subset(t, entry.Annotations, want)

	entry, err = change(t, publisher, "restored", func(entry *v1alpha1.CatalogImage) { entry.Labels = map[string]string{"mine": "stays"} })
	require.NoError(t, err)
	assert.Subset(t, entry.Annotations, want, "nothing that is not the spec makes somebody its modifier")
	for annotation := range want {
		_, err = change(t, publisher, "restored", func(entry *v1alpha1.CatalogImage) { entry.Annotations[annotation] = "2026-01-01T00:00:00Z" })
		assert.ErrorContains(t, err, annotation)
	}
}

func TestAPublisherIsStamped(t *testing.T) {
	publisher := as(t, "publisher", "imagecatalog-publish", newNamespace(t))
	entry, err := publisher.Create(t.Context(), newEntry("autosd", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Equal(t, "publisher", entry.Annotations[v1alpha1.CreatorAnnotation])
	assert.Equal(t, "publisher", entry.Annotations[v1alpha1.LastModifierAnnotation])
	assert.WithinDuration(t, entry.CreationTimestamp.Time, entry.PublishedAt(), patience)

	entry, err = change(t, publisher, "autosd", func(entry *v1alpha1.CatalogImage) {
		delete(entry.Annotations, v1alpha1.PublishedAtAnnotation)
		entry.Spec.Channel = "prod"
	})
	require.NoError(t, err)
	assert.NotEmpty(t, entry.Annotations[v1alpha1.PublishedAtAnnotation], "leaving a stamp out, as apply does, keeps it")
}
