package admission

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/resourcesemantics/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

// Claims decide which entry is the one of its image; the errors are those of claim.Keeper.
type Claims interface {
	Take(context.Context, claim.Claim) error
	Check(context.Context, claim.Claim) error
}

// RefuseDuplicates returns the callback that takes a claim for an entry that is created, or that becomes one of
// another image, and refuses it when another entry has the claim. A dry run takes nothing.
func RefuseDuplicates(claims Claims) validation.Callback {
	return validation.NewCallback(duplicates{claims}.refuse, webhook.Create, webhook.Update)
}

type duplicates struct {
	claims Claims
}

func (d duplicates) refuse(ctx context.Context, object *unstructured.Unstructured) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	var entry v1alpha1.CatalogImage
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &entry); err != nil {
		return fmt.Errorf("decoding the entry: %w", err)
	}
	if before := stored(ctx); before != nil && before.Spec.Image == entry.Spec.Image && before.Spec.Digest == entry.Spec.Digest {
		return nil // even if it names no image by today's rules
	}
	wanted, err := claim.Of(&entry)
	if err != nil {
		return err
	}
	if keepsIdentity(ctx, wanted) {
		return nil
	}
	if apis.IsDryRun(ctx) {
		return d.claims.Check(ctx, wanted)
	}
	return d.claims.Take(ctx, wanted)
}

func keepsIdentity(ctx context.Context, wanted claim.Claim) bool {
	before := stored(ctx)
	if before == nil {
		return false
	}
	held, err := claim.Of(&before.CatalogImage)
	return err == nil && held.Namespace == wanted.Namespace && held.Holder == wanted.Holder && held.Identity == wanted.Identity
}
