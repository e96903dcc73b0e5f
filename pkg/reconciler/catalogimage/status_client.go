package catalogimage

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// statusClient does something before it stores a status, which an error prevents, and after it stored one. The generated
// reconciler has no other place for that: it stores statuses by itself.
type statusClient struct {
	versioned.Interface
	before func(context.Context, *v1alpha1.CatalogImage) error
	after  func(*v1alpha1.CatalogImage)
}

// ImagecatalogV1alpha1 implements versioned.Interface.
func (c statusClient) ImagecatalogV1alpha1() catalogclient.ImagecatalogV1alpha1Interface {
	return statusGroup{c.Interface.ImagecatalogV1alpha1(), c}
}

type statusGroup struct {
	catalogclient.ImagecatalogV1alpha1Interface
	client statusClient
}

// CatalogImages implements catalogclient.CatalogImagesGetter.
func (g statusGroup) CatalogImages(namespace string) catalogclient.CatalogImageInterface {
	return statusEntries{g.ImagecatalogV1alpha1Interface.CatalogImages(namespace), g.client}
}

type statusEntries struct {
	catalogclient.CatalogImageInterface
	client statusClient
}

// UpdateStatus implements catalogclient.CatalogImageInterface.
func (e statusEntries) UpdateStatus(ctx context.Context, entry *v1alpha1.CatalogImage, options metav1.UpdateOptions) (*v1alpha1.CatalogImage, error) {
	if err := e.client.before(ctx, entry); err != nil {
		return nil, err
	}
	stored, err := e.CatalogImageInterface.UpdateStatus(ctx, entry, options)
	if err == nil {
		e.client.after(stored)
	}
	return stored, err
}
