package claim

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// Entries reads entries from the API server, not from a cache.
type Entries interface {
	// Claim that the entry would make now; the zero Claim when there is no such entry or it is being deleted.
	Claim(ctx context.Context, namespace, name string) (Claim, error)
}

// LiveEntries reads each entry from the API server.
func LiveEntries(entries catalogclient.CatalogImagesGetter) Entries { return liveEntries{entries} }

type liveEntries struct {
	catalogclient.CatalogImagesGetter
}

func (l liveEntries) Claim(ctx context.Context, namespace, name string) (Claim, error) {
	entry, err := l.CatalogImages(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Claim{}, nil
	}
	if err != nil {
		return Claim{}, err
	}
	if entry.DeletionTimestamp != nil {
		return Claim{}, nil
	}
	if claim, err := Of(entry); err == nil {
		return claim, nil
	}
	return Claim{}, nil // stored before the reference was held to today's rules: it is no image's entry
}
