package claim

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// LiveEntries reads each entry from the API server.
func LiveEntries(entries catalogclient.CatalogImagesGetter) Entries { return liveEntries{entries} }

type liveEntries struct {
	catalogclient.CatalogImagesGetter
}

func (l liveEntries) Identity(ctx context.Context, namespace, name string) (string, error) {
	entry, err := l.CatalogImages(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if entry.DeletionTimestamp != nil {
		return "", nil
	}
	if claim, err := Of(entry); err == nil {
		return claim.Identity, nil
	}
	return "", nil // stored before the reference was held to today's rules: it is no image's entry
}
