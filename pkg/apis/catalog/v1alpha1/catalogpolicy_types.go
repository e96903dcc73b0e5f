package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/pkg/kmeta"
)

// CatalogPolicy says what the entries of some images need: signatures, platforms, metadata. Every enforcing policy that
// selects an entry must hold for it to be Ready.
//
// +genclient
// +genclient:nonNamespaced
// +genreconciler
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says which entries need what.
	Spec CatalogPolicySpec `json:"spec"`

	// Status says how many entries have it. Only the catalog writes it.
	// +optional
	Status CatalogPolicyStatus `json:"status,omitempty"`
}

var (
	_ apis.HasSpec       = (*CatalogPolicy)(nil)
	_ kmeta.OwnerRefable = (*CatalogPolicy)(nil)
	_ duckv1.KRShaped    = (*CatalogPolicy)(nil)
)

// CatalogPolicySpec says which entries need what. The names of the fields are those of sigstore's policy-controller where
// it has the field.
//
// +kubebuilder:validation:XValidation:rule="has(self.authorities) || has(self.requiredPlatforms) || has(self.requiredMetadata) || has(self.validations)",message="say what the images need: authorities, requiredPlatforms, requiredMetadata or validations"
// +kubebuilder:validation:XValidation:rule="!has(self.signedPlatforms) || !self.signedPlatforms || has(self.authorities)",message="say in authorities whose signature the platforms need",fieldPath=".signedPlatforms"
type CatalogPolicySpec struct {
	// Images selects entries by the repositories of their images: those that match one of the patterns. From 1 to 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Images []ImagePattern `json:"images"`

	// NamespaceSelector selects entries by the labels of their namespaces, besides. Default: entries of all namespaces. At most 16 labels and 16 expressions, of 64 values each.
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || size(self.matchLabels) <= 16) && (!has(self.matchExpressions) || size(self.matchExpressions) <= 16)",message="at most 16 labels and 16 expressions"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, !has(e.values) || size(e.values) <= 64)",message="at most 64 values in an expression"
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// Mode is enforce (an entry that does not satisfy the policy is not Ready) or warn (its status says so, and no more). Default: enforce.
	// +optional
	Mode PolicyMode `json:"mode,omitempty"`

	// Authorities are those whose signatures count: an image needs the signature of one of them. Default: it needs no signature. From 1 to 16.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Authorities []Authority `json:"authorities,omitempty"`

	// SignedPlatforms says that of an index each image in it needs a signature of its own, besides that of the index. Default: false.
	// +optional
	SignedPlatforms bool `json:"signedPlatforms,omitempty"`

	// RequiredPlatforms are those that an image must be built for: os/architecture or os/architecture/variant, for example linux/arm64. From 1 to 32.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$')",message="write os/architecture or os/architecture/variant in lower case, such as linux/arm64"
	// +listType=set
	// +optional
	RequiredPlatforms []string `json:"requiredPlatforms,omitempty"`

	// RequiredMetadata are the fields of an entry's spec.metadata that must be given, for example distro. What the image itself tells of architecture, os and variant counts as given.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	// +optional
	RequiredMetadata []MetadataField `json:"requiredMetadata,omitempty"`

	// Validations are what else must hold of an entry. From 1 to 32.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Validations []Validation `json:"validations,omitempty"`
}

// PolicyMode is what becomes of an entry that does not satisfy a policy.
//
// +kubebuilder:validation:Enum=enforce;warn
type PolicyMode string

// The modes of a policy.
const (
	// ModeEnforce makes PolicySatisfied, and with it Ready, False.
	ModeEnforce PolicyMode = "enforce"
	// ModeWarn only tells.
	ModeWarn PolicyMode = "warn"
)

// ImagePattern selects images by their repository.
type ImagePattern struct {
	// Glob matches whole names of repositories, with their host and without tags, for example quay.io/acme/*. One star is any text without a slash, two are any text. Docker Hub is docker.io.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Glob string `json:"glob"`
}

// Authority is somebody whose signatures count.
type Authority struct {
	// Name by which the status speaks of the authority, for example release-team.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="use lower-case letters, digits and '-', beginning and ending with a letter or digit"
	Name string `json:"name"`

	// Key verifies the signatures.
	Key KeyRef `json:"key"`
}

// KeyRef is where public keys are.
//
// +kubebuilder:validation:XValidation:rule="has(self.data) != has(self.secretRef)",message="write either data, the public key itself, or secretRef, the Secret that holds it"
type KeyRef struct {
	// Data is one public key as PEM, or several, each of which counts: of ECDSA, RSA or Ed25519.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	// +optional
	Data string `json:"data,omitempty"`

	// SecretRef names a Secret in the namespace of the catalog that holds the same as cosign.pub, as cosign makes it (cosign generate-key-pair k8s://image-catalog/NAME).
	// +optional
	SecretRef *SecretRef `json:"secretRef,omitempty"`
}

// SecretRef names a Secret in the namespace of the catalog, image-catalog. There is no other from which a policy reads.
type SecretRef struct {
	// Name of the Secret, for example release-key.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="write the name of a secret: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
	Name string `json:"name"`
}

// MetadataField is the name of a field of an entry's spec.metadata.
//
// +kubebuilder:validation:Enum=architecture;os;variant;distro;distroVersion;targets;bootc;buildMode;exportFormat;kernelVersion
type MetadataField string

// The fields that a policy can require.
const (
	FieldArchitecture  MetadataField = "architecture"
	FieldOS            MetadataField = "os"
	FieldVariant       MetadataField = "variant"
	FieldDistro        MetadataField = "distro"
	FieldDistroVersion MetadataField = "distroVersion"
	FieldTargets       MetadataField = "targets"
	FieldBootc         MetadataField = "bootc"
	FieldBuildMode     MetadataField = "buildMode"
	FieldExportFormat  MetadataField = "exportFormat"
	FieldKernelVersion MetadataField = "kernelVersion"
)

// Validation is an expression that must be true of an entry. The names are those of Kubernetes' ValidatingAdmissionPolicy.
type Validation struct {
	// Expression in CEL over the variable entry, which has the fields of a CatalogImage: metadata (name, namespace, labels, annotations), spec, and of status what the registry told. For example: entry.spec.channel != 'prod' || entry.spec.metadata.targets.exists(t, t.verified)
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression"`

	// Message is for people: what to do when the expression is not true. Default: the expression itself.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// CatalogPolicyStatus says how many entries satisfy a policy.
//
// The rules bound what knative's type leaves unbounded.
//
// +kubebuilder:validation:XValidation:rule="!has(self.conditions) || size(self.conditions) <= 16",message="at most 16 conditions",fieldPath=".conditions"
// +kubebuilder:validation:XValidation:rule="!has(self.conditions) || self.conditions.all(c, size(c.type) <= 64 && size(c.status) <= 16 && (!has(c.severity) || size(c.severity) <= 16) && (!has(c.lastTransitionTime) || size(c.lastTransitionTime) <= 64))",message="a type has at most 64 characters, a time too, a status or severity 16",fieldPath=".conditions"
// +kubebuilder:validation:XValidation:rule="!has(self.conditions) || self.conditions.all(c, (!has(c.reason) || size(c.reason) <= 64) && (!has(c.message) || size(c.message) <= 2048))",message="a reason has at most 64 characters, a message 2048",fieldPath=".conditions"
// +kubebuilder:validation:XValidation:rule="!has(self.annotations) || (size(self.annotations) <= 16 && self.annotations.all(key, size(key) <= 317 && size(self.annotations[key]) <= 1024))",message="at most 16 annotations, of 1024 characters each",fieldPath=".annotations"
type CatalogPolicyStatus struct {
	// Conditions and observedGeneration. Ready is True when Valid and KeysAvailable are.
	duckv1.Status `json:",inline"`

	// Selected is the number of entries that the policy selects.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Selected int64 `json:"selected"`

	// Satisfied is the number of those that satisfy it.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Satisfied int64 `json:"satisfied"`

	// Unsatisfied are entries that do not, or of which it is not known; the first ten by namespace and name.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	Unsatisfied []UnsatisfiedEntry `json:"unsatisfied,omitempty"`

	// Keys are the public keys that were read from Secrets, for those who judge by the policy and may not read Secrets.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=authority
	// +optional
	Keys []AuthorityKeys `json:"keys,omitempty"`
}

// UnsatisfiedEntry is an entry that does not satisfy a policy.
type UnsatisfiedEntry struct {
	// Namespace of the entry.
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// Name of the entry.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Reason in one word, for example Unsigned.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
}

// AuthorityKeys are the public keys of an authority, as they were read from its Secret.
type AuthorityKeys struct {
	// Authority is its name.
	// +kubebuilder:validation:MaxLength=63
	Authority string `json:"authority"`

	// Data is the keys as PEM.
	// +kubebuilder:validation:MaxLength=16384
	Data string `json:"data"`
}

// CatalogPolicyList is a list of policies.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []CatalogPolicy `json:"items"`
}
