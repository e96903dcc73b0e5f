package catalogimage

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// labelPatches bring the facet labels of entries in line with their status. The webhook does so whenever an entry is
// written; what the registry told comes later, and only into the status.
type labelPatches struct {
	entries catalogclient.CatalogImagesGetter
}

// Align patches the labels of a stored entry if its spec and status call for others.
func (l labelPatches) Align(ctx context.Context, entry *v1alpha1.CatalogImage) error {
	changes := entry.FacetLabelChanges()
	if len(changes) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": entry.UID, "labels": changes}})
	if err != nil {
		return fmt.Errorf("encoding the labels of %s/%s: %w", entry.Namespace, entry.Name, err)
	}
	_, err = l.entries.CatalogImages(entry.Namespace).Patch(ctx, entry.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is gone, or another of that name: there is nothing to label
	}
	if err != nil {
		return fmt.Errorf("labelling %s/%s: %w", entry.Namespace, entry.Name, err)
	}
	return nil
}
