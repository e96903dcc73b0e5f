package claim

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/google/go-containerregistry/pkg/name"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Claim says that one entry wants to be the only one of its image in a namespace.
type Claim struct {
	// Namespace of the entry.
	Namespace string
	// Holder is the name of the entry.
	Holder string
	// UID of the entry that is admitted or stored. It tells which of several creates under one name has come to its end;
	// it never decides who may have the claim.
	UID types.UID
	// Identity of the image; see Of.
	Identity string
}

// Of derives the claim of an entry from its spec. The error is that of the image reference.
func Of(entry *v1alpha1.CatalogImage) (Claim, error) {
	ref, err := entry.Spec.Reference()
	if err != nil {
		return Claim{}, err
	}
	return For(entry, ref), nil
}

// For is the claim of an entry on the image that its spec refers to. The identity is the canonical repository with
// the digest when the entry is pinned, with the tag when it follows one; the two kinds never compete. Which spellings
// of a reference are one is said at CatalogImageSpec.Reference.
func For(entry metav1.Object, ref name.Reference) Claim {
	return Claim{Namespace: entry.GetNamespace(), Holder: entry.GetName(), UID: entry.GetUID(), Identity: ref.Name()}
}

// LeaseName is the name of the Lease that the claim is on: the same for all that compete, and only for them.
func (c Claim) LeaseName() string { return "image-" + hash(c.Namespace, c.Identity) }

func hash(namespace, s string) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + s)) // neither part can hold a NUL
	return hex.EncodeToString(sum[:])
}
