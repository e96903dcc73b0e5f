package claim

import (
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// What a claim looks like as a Lease. Its name, holder, state, UID and time decide who may have
// the claim; the rest is to find it by, and for people.
const (
	// HolderLabel holds a hash of the holder's namespace and name, which may be longer than a label value.
	HolderLabel = catalog.GroupName + "/holder"
	// StateLabel is "pending" or "adopted".
	StateLabel = catalog.GroupName + "/claim"
	// NamespaceAnnotation holds the namespace of the entry.
	NamespaceAnnotation = catalog.GroupName + "/namespace"
	// IdentityAnnotation holds the identity of the image.
	IdentityAnnotation = catalog.GroupName + "/identity"
	// UIDAnnotation holds the UID of the entry whose admission took the claim; "" when several did.
	UIDAnnotation = catalog.GroupName + "/uid"
)

// Selector matches the leases that are claims.
const Selector = StateLabel

type state string

const (
	pending state = "pending"
	adopted state = "adopted"
)

func (k *Keeper) write(lease *coordinationv1.Lease, claim Claim, to state) {
	acquired := metav1.NewMicroTime(k.now())
	lease.Labels = map[string]string{
		HolderLabel: HolderKey(types.NamespacedName{Namespace: claim.Namespace, Name: claim.Holder}),
		StateLabel:  string(to),
	}
	lease.Annotations = map[string]string{
		NamespaceAnnotation: claim.Namespace,
		IdentityAnnotation:  claim.Identity,
		UIDAnnotation:       string(claim.UID),
	}
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &claim.Holder, AcquireTime: &acquired}
}

// Holder is the entry that has the claim, as the lease says.
func Holder(lease *coordinationv1.Lease) types.NamespacedName {
	return types.NamespacedName{Namespace: lease.Annotations[NamespaceAnnotation], Name: holder(lease)}
}

// HolderKey is the value of HolderLabel for an entry.
func HolderKey(entry types.NamespacedName) string { return hash(entry.Namespace, entry.Name)[:32] }

// InOrder says whether the claim is adopted, and the lease says so in every place.
func (c Claim) InOrder(lease *coordinationv1.Lease) bool {
	holder := types.NamespacedName{Namespace: c.Namespace, Name: c.Holder}
	return IsAdopted(lease) && Holder(lease) == holder && lease.Labels[HolderLabel] == HolderKey(holder) &&
		lease.Annotations[IdentityAnnotation] == c.Identity
}

// IsAdopted says whether the write that the claim was taken for has been seen stored.
func IsAdopted(lease *coordinationv1.Lease) bool { return lease.Labels[StateLabel] == string(adopted) }

func holder(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// UID of the entry whose admission took the claim; "" when it is not known, or several took it.
func UID(lease *coordinationv1.Lease) types.UID {
	return types.UID(lease.Annotations[UIDAnnotation])
}

// HeldError says that another entry of the namespace is of the same image.
type HeldError struct {
	Claim Claim
	// By is the name of that entry.
	By string
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is in the catalog of namespace %q already, as %q; change that entry, or delete it first: kubectl delete catalogimage %s --namespace %s",
		e.Claim.Identity, e.Claim.Namespace, e.By, e.By, e.Claim.Namespace)
}

// PendingError says that another entry of the same image may be about to be stored.
type PendingError struct {
	Claim Claim
	// By is the name of that entry.
	By string
	// RetryAfter is when the claim is free if that entry was not stored; whole seconds.
	RetryAfter time.Duration
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("%s is being published as %q in namespace %q; %s%d s",
		e.Claim.Identity, e.By, e.Claim.Namespace, retryPhrase, int(e.RetryAfter.Seconds()))
}

const retryPhrase = "retry in "

// SaysRetry finds a *PendingError in what the API server says of a refusal. Admission carries nothing but the text.
func SaysRetry(refusal string) bool { return strings.Contains(refusal, retryPhrase) }
