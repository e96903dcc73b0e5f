//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// newNamespace makes a namespace that the test's end deletes without waiting for it.
func newNamespace(t *testing.T, prefix string) (name string) {
	t.Helper()
	made, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	atEnd(t, "kubectl", "delete", "namespace", made.Name, "--wait=false", "--ignore-not-found")
	return made.Name
}

// entry is of an image that its registry does not have; no other number gives the same.
func entry(namespace string, number int) *v1alpha1.CatalogImage {
	return &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("entry-%d", number)},
		Spec:       v1alpha1.CatalogImageSpec{Image: fmt.Sprintf("%s/e2e/absent:%d", os.Getenv("REGISTRY"), number)},
	}
}

// createEntries fills namespaces with entries.
func createEntries(t *testing.T, perNamespace int, namespaces ...string) {
	t.Helper()
	creates, ctx := errgroup.WithContext(t.Context())
	creates.SetLimit(8)
	for _, namespace := range namespaces {
		for number := range perNamespace {
			creates.Go(func() error {
				_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(ctx, entry(namespace, number), metav1.CreateOptions{})
				return err
			})
		}
	}
	require.NoError(t, creates.Wait())
}
