//go:build controlplane

// Package controlplane tests the webhook and the controller as processes of this machine, under their own service
// accounts, against a real API server: `make control-plane-test`.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
	"imagecatalog.dev/catalog/test/plane"
)

const systemNamespace = plane.SystemNamespace

// What the tests share; TestMain sets it up.
var (
	installed *plane.Plane
	config    *rest.Config
	kube      kubernetes.Interface
	catalog   versioned.Interface
)

// under is what all of it runs against.
var under = plane.ControlPlane(os.Getenv("IMAGE_CATALOG_STATE"))

func TestMain(m *testing.M) {
	code, err := runWithPlane(context.Background(), m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "control plane tier:", err)
		code = 1
	}
	os.Exit(code)
}

func runWithPlane(ctx context.Context, m *testing.M) (code int, err error) {
	if installed, err = plane.Start(ctx, os.Getenv("KUBECONFIG"), 2); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, installed.Close(code != 0)) }()
	config, kube, catalog = installed.Config, installed.Kube, installed.Catalog
	if err := installed.Controller.Start(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func kubectl(ctx context.Context, stdin string, args ...string) error {
	return installed.Kubectl(ctx, stdin, args...)
}

// newNamespace makes a namespace of the test's own. The entries in it go with the test: the controller would check them again
// whenever a setting changes, while others are waited for.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace, err := kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	atEnd(t, func(ctx context.Context) error {
		return catalog.ImagecatalogV1alpha1().CatalogImages(namespace.Name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	})
	return namespace.Name
}

// atEnd does something when the test is over, whichever way it ends.
func atEnd(t *testing.T, do func(context.Context) error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { assert.NoError(t, do(ctx)) })
}
