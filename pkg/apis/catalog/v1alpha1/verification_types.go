package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Verification is what policies say about an image.
type Verification struct {
	// Digest of the image that was judged.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Digest string `json:"digest,omitempty"`

	// Since is when this digest was first judged by these policies, as they are now.
	Since metav1.Time `json:"since"`

	// CheckedAt is when the registry was last asked for signatures; absent while no policy needs one.
	// +optional
	CheckedAt *metav1.Time `json:"checkedAt,omitempty"`

	// Policies that select the entry, by name, and what each says. The first 32 are listed.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Policies []PolicyVerdict `json:"policies,omitempty"`

	// Signers are the authorities that signed the image. The first 64 are listed.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Signers []Signer `json:"signers,omitempty"`
}

// PolicyOutcome is what a policy says about an image.
//
// +kubebuilder:validation:Enum=Satisfied;Violated;Unknown
type PolicyOutcome string

// The outcomes.
const (
	PolicySatisfied PolicyOutcome = "Satisfied"
	PolicyViolated  PolicyOutcome = "Violated"
	// PolicyUnknown: what it takes to decide could not be had.
	PolicyUnknown PolicyOutcome = "Unknown"
)

// PolicyVerdict is what one policy says about an image.
type PolicyVerdict struct {
	// Name of the CatalogPolicy.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Mode is that of the policy: enforce or warn.
	Mode PolicyMode `json:"mode"`

	// Outcome is Satisfied, Violated or Unknown.
	Outcome PolicyOutcome `json:"outcome"`

	// Reason in one word why it is not Satisfied, for example Unsigned.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Reason string `json:"reason,omitempty"`

	// Message is for people: what is missing.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// Revision of the policy and of its keys by which it was judged.
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision"`
}

// Signer is an authority that signed an image.
type Signer struct {
	// Policy that names the authority.
	// +kubebuilder:validation:MaxLength=253
	Policy string `json:"policy"`

	// Authority is its name in the policy.
	// +kubebuilder:validation:MaxLength=63
	Authority string `json:"authority"`

	// Key that made the signature: sha256: and the digest of its SubjectPublicKeyInfo.
	// +kubebuilder:validation:MaxLength=255
	Key string `json:"key"`
}
