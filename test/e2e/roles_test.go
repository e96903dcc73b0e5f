//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned"
	catalogv1alpha1 "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

const (
	waitTimeout  = time.Minute
	pollInterval = 100 * time.Millisecond
)

// userOf makes a user who has a ClusterRole in the namespace and nothing else.
func userOf(t *testing.T, namespace, role string) (user string) {
	t.Helper()
	user = role + "-user"
	_, err := kube.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return may(t, user, "get", "catalogimages.imagecatalog.dev", namespace) }, waitTimeout, pollInterval,
		"every role of ours may get entries")
	return user
}

func may(t *testing.T, user, verb, resource, namespace string, flags ...string) bool {
	t.Helper()
	out, err := command(t, "", "kubectl", append([]string{"auth", "can-i", verb, resource, "--namespace", namespace, "--as", user}, flags...)...)
	if err == nil {
		return true
	}
	require.Contains(t, "\n"+out, "\nno", "%s %s: %v", verb, resource, err) // with a no the command fails, too
	return false
}

// The cluster's own view, edit and admin take ours in, by aggregation.
func TestRolesAllowWhatTheySay(t *testing.T) {
	namespace := newNamespace(t, "e2e-roles")
	for role, wanted := range map[string]string{
		"view":                 "get list watch",
		"edit":                 "get list watch create update patch delete deletecollection",
		"admin":                "get list watch create update patch delete deletecollection",
		"imagecatalog-publish": "get create update",
		"imagecatalog-restore": "get create update patch restore",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel() // kubectl is waited for, a hundred times
			user := userOf(t, namespace, role)
			var allowed []string
			for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "restore"} {
				if may(t, user, verb, "catalogimages.imagecatalog.dev", namespace) {
					allowed = append(allowed, verb)
				}
			}
			assert.Equal(t, wanted, strings.Join(allowed, " "))
			for _, verb := range []string{"update", "patch"} {
				assert.False(t, may(t, user, verb, "catalogimages.imagecatalog.dev", namespace, "--subresource=status"), "%s a status", verb)
			}
			for _, verb := range []string{"get", "create", "update", "delete"} {
				assert.False(t, may(t, user, verb, "leases.coordination.k8s.io", "image-catalog"), "%s a claim", verb)
			}
		})
	}
}

// as gives clients that act as a user.
func as(t *testing.T, user, namespace string) (catalogv1alpha1.CatalogImageInterface, kubernetes.Interface) {
	t.Helper()
	config := rest.CopyConfig(restConfig)
	config.Impersonate.UserName = user
	entries, err := catalogclient.NewForConfig(config)
	require.NoError(t, err)
	others, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return entries.ImagecatalogV1alpha1().CatalogImages(namespace), others
}

func assertForbidden(t *testing.T, err error, what string) {
	t.Helper()
	assert.True(t, apierrors.IsForbidden(err), "%s: %v", what, err)
}

func TestAnEditorWritesEntriesAndNoStatus(t *testing.T) {
	namespace := newNamespace(t, "e2e-editor")
	entries, others := as(t, userOf(t, namespace, "edit"), namespace)
	made, err := entries.Create(t.Context(), entry(namespace, 1), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = entries.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
	assertForbidden(t, err, "a status")
	_, err = entries.Patch(t.Context(), made.Name, "application/merge-patch+json", []byte(`{"spec":{"displayName":"Changed"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, entries.Delete(t.Context(), made.Name, metav1.DeleteOptions{}))
	_, err = others.CoordinationV1().Leases("image-catalog").List(t.Context(), metav1.ListOptions{})
	assertForbidden(t, err, "the claims")
}

func TestAViewerReadsEntriesOnly(t *testing.T) {
	namespace := newNamespace(t, "e2e-viewer")
	createEntries(t, 1, namespace)
	entries, others := as(t, userOf(t, namespace, "view"), namespace)
	list, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	_, err = entries.Create(t.Context(), entry(namespace, 2), metav1.CreateOptions{})
	assertForbidden(t, err, "create")
	_, err = entries.Update(t.Context(), &list.Items[0], metav1.UpdateOptions{})
	assertForbidden(t, err, "update")
	assertForbidden(t, entries.Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}), "delete")
	_, err = others.CoordinationV1().Leases("image-catalog").List(t.Context(), metav1.ListOptions{})
	assertForbidden(t, err, "the claims")
}

func TestAPublisherDeletesNothing(t *testing.T) {
	namespace := newNamespace(t, "e2e-publisher")
	entries, _ := as(t, userOf(t, namespace, "imagecatalog-publish"), namespace)
	made, err := entries.Create(t.Context(), entry(namespace, 1), metav1.CreateOptions{})
	require.NoError(t, err)
	assertForbidden(t, entries.Delete(t.Context(), made.Name, metav1.DeleteOptions{}), "delete")
	_, err = entries.List(t.Context(), metav1.ListOptions{})
	assertForbidden(t, err, "list")
}
