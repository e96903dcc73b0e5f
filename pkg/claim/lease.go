package claim

import (
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// What a claim looks like as a Lease. The labels serve the keeper, the annotations people.
const (
	// HolderLabel holds a hash of the holder's namespace and name.
	HolderLabel = catalog.GroupName + "/holder"
	// StateLabel is "pending" or "adopted".
	StateLabel = catalog.GroupName + "/claim"
	// NamespaceAnnotation holds the namespace of the entry.
	NamespaceAnnotation = catalog.GroupName + "/namespace"
	// IdentityAnnotation holds the identity of the image.
	IdentityAnnotation = catalog.GroupName + "/identity"
)

type state string

const (
	pending state = "pending"
	adopted state = "adopted"
)

func (k *Keeper) write(lease *coordinationv1.Lease, claim Claim, to state) {
	acquired := metav1.NewMicroTime(k.now())
	lease.Labels = map[string]string{
		HolderLabel: holderHash(claim.Namespace, claim.Holder),
		StateLabel:  string(to),
	}
	lease.Annotations = map[string]string{
		NamespaceAnnotation: claim.Namespace,
		IdentityAnnotation:  claim.Identity,
	}
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &claim.Holder, AcquireTime: &acquired}
}

func holder(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func isAdopted(lease *coordinationv1.Lease) bool { return lease.Labels[StateLabel] == string(adopted) }

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
