package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/pkg/kmeta"
)

// CatalogImage is one entry of the catalog: one published build of an OS image, a container image or a disk image.
//
// +genclient
// +genreconciler
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says which image this is. It is the publisher's statement; the catalog never rewrites it.
	Spec CatalogImageSpec `json:"spec"`

	// Status says what the catalog found in the registry.
	// +optional
	Status CatalogImageStatus `json:"status,omitempty"`
}

var (
	_ apis.Defaultable   = (*CatalogImage)(nil)
	_ apis.Validatable   = (*CatalogImage)(nil)
	_ apis.HasSpec       = (*CatalogImage)(nil)
	_ kmeta.OwnerRefable = (*CatalogImage)(nil)
	_ duckv1.KRShaped    = (*CatalogImage)(nil)
)

// CatalogImageSpec is what the publisher says about an image.
type CatalogImageSpec struct {
	// Image is the reference of the image, for example quay.io/acme/autosd:rpi4-1.2. It may carry a tag, a digest or both.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image"`

	// Digest pins the entry to one manifest, for example sha256:2c26.... An entry without a digest (here or in image) follows its tag.
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +optional
	Digest string `json:"digest,omitempty"`

	// DisplayName is the name that people read in listings.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// Tags are free-form categories, for example nightly or safety. They are not the tags of the registry.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	Tags []string `json:"tags,omitempty"`

	// Series groups the builds of one thing. Default: the repository of the image.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Series string `json:"series,omitempty"`

	// Channel is the promotion stage, for example dev, stage or prod.
	// +optional
	Channel Facet `json:"channel,omitempty"`

	// Metadata is what the publisher declares about the content of the image.
	// +optional
	Metadata ImageMetadata `json:"metadata,omitempty"`

	// Source names the build that made the image.
	// +optional
	Source *Source `json:"source,omitempty"`

	// ServiceAccountName is a service account in the entry's namespace whose pull secrets open the registry.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// ImagePullSecrets are secrets in the entry's namespace that open the registry.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:XValidation:rule="has(self.name) && size(self.name) > 0",message="name a secret in the entry's namespace",reason=FieldValueRequired,fieldPath=".name"
	// +listType=atomic
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// CheckInterval is how often the registry is asked again, for example 30m. At least 1m; default 1h.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m')",message="must be at least 1m"
	// +optional
	CheckInterval *metav1.Duration `json:"checkInterval,omitempty"`

	// Lifecycle says whether the image should still be used. Default: Active.
	// +optional
	Lifecycle *Lifecycle `json:"lifecycle,omitempty"`
}

// Facet is a short value that fits in a label: up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
type Facet string

// ImageMetadata is what is declared about the content of an image.
type ImageMetadata struct {
	// Architecture of the processor, for example arm64. x86_64 counts as amd64 and aarch64 as arm64.
	// +optional
	Architecture Facet `json:"architecture,omitempty"`

	// OS is the operating system as in the OCI image configuration, for example linux.
	// +optional
	OS Facet `json:"os,omitempty"`

	// Variant of the architecture, for example v8.
	// +optional
	Variant Facet `json:"variant,omitempty"`

	// Distro is the distribution, for example autosd or centos-stream.
	// +optional
	Distro Facet `json:"distro,omitempty"`

	// DistroVersion is the version of the distribution, for example 10.
	// +optional
	DistroVersion Facet `json:"distroVersion,omitempty"`

	// Targets are the boards and machines that the image is built for.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Targets []Target `json:"targets,omitempty"`

	// Bootc says that the image is a bootable container.
	// +optional
	Bootc *bool `json:"bootc,omitempty"`

	// BuildMode is the mode of the image builder, for example image, package or bootc.
	// +optional
	BuildMode Facet `json:"buildMode,omitempty"`

	// ExportFormat is the format of the disk image, for example qcow2 or raw.
	// +optional
	ExportFormat Facet `json:"exportFormat,omitempty"`

	// KernelVersion is the version of the kernel in the image.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	KernelVersion string `json:"kernelVersion,omitempty"`
}

// Target is a board or machine that an image is built for.
type Target struct {
	// Name of the board, for example raspberry-pi or qemu.
	// +kubebuilder:validation:MinLength=1
	Name Facet `json:"name"`

	// Verified says that the image was tested on the board, not only built for it.
	// +optional
	Verified bool `json:"verified,omitempty"`

	// Notes are for people.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Notes string `json:"notes,omitempty"`
}

// SourceKind is the kind of build that made an image.
//
// +kubebuilder:validation:Enum=External;PipelineRun;TaskRun;ImageBuild
type SourceKind string

// The kinds of build.
const (
	SourceExternal    SourceKind = "External"
	SourcePipelineRun SourceKind = "PipelineRun"
	SourceTaskRun     SourceKind = "TaskRun"
	SourceImageBuild  SourceKind = "ImageBuild"
)

// Source names the build that made an image, in the words of the publisher.
//
// +kubebuilder:validation:XValidation:rule="self.kind == 'External' || (has(self.name) && size(self.name) > 0)",message="name the run or build that made the image; only kind External goes without",reason=FieldValueRequired,fieldPath=".name"
type Source struct {
	// Kind of the build: External, PipelineRun, TaskRun or ImageBuild.
	Kind SourceKind `json:"kind"`

	// Name of the run or build in the entry's namespace; only an External source may have none.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
}

// LifecycleState says whether an image should still be used.
//
// +kubebuilder:validation:Enum=Active;Deprecated;Recalled
type LifecycleState string

// The states of an image's life.
const (
	LifecycleActive     LifecycleState = "Active"
	LifecycleDeprecated LifecycleState = "Deprecated"
	LifecycleRecalled   LifecycleState = "Recalled"
)

// Lifecycle says whether an image should still be used, and why not.
type Lifecycle struct {
	// State is Active, Deprecated (there is a better one) or Recalled (do not use).
	State LifecycleState `json:"state"`

	// Reason is for people: why the image is deprecated or recalled.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`

	// Successor is the entry in the same namespace to use instead.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Successor string `json:"successor,omitempty"`
}

// Phase sums an entry up in one word; it is derived from the conditions and never decides anything.
//
// +kubebuilder:validation:Enum=Pending;Verifying;Available;Unavailable;Failed
type Phase string

// The phases of an entry.
const (
	// PhasePending means that the image was never looked up.
	PhasePending Phase = "Pending"
	// PhaseVerifying means that looking it up has not yet brought an answer.
	PhaseVerifying Phase = "Verifying"
	// PhaseAvailable means that the entry is Ready.
	PhaseAvailable Phase = "Available"
	// PhaseUnavailable means that the image was there once and is not to be had now.
	PhaseUnavailable Phase = "Unavailable"
	// PhaseFailed means that the image was never found as described, or that the entry breaks a rule.
	PhaseFailed Phase = "Failed"
)

// CatalogImageStatus is what the catalog found in the registry.
type CatalogImageStatus struct {
	// Conditions and observedGeneration. Ready is True when Resolved and Unique are.
	duckv1.Status `json:",inline"`

	// Phase sums up the conditions: Pending, Verifying, Available, Unavailable or Failed.
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// Image is the canonical reference that the rest of the status speaks of.
	// +optional
	Image string `json:"image,omitempty"`

	// Digest of the manifest or index that the reference names.
	// +optional
	Digest string `json:"digest,omitempty"`

	// MediaType of that manifest or index.
	// +optional
	MediaType string `json:"mediaType,omitempty"`

	// ArtifactType of an OCI artifact that is not a container image.
	// +optional
	ArtifactType string `json:"artifactType,omitempty"`

	// SizeBytes is the compressed size in the registry: all distinct blobs of all platforms.
	// +optional
	SizeBytes int64 `json:"sizeBytes,omitempty"`

	// CreatedAt is when the image was built, as it says itself; for an index the newest of its platforms.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// Layers of a single image, base first; empty for an index, whose platforms have their own. The first 128 are listed.
	// +listType=atomic
	// +optional
	Layers []Layer `json:"layers,omitempty"`

	// LayerCount is the number of layers of a single image.
	// +optional
	LayerCount int64 `json:"layerCount,omitempty"`

	// Platforms that the image runs on: one for a single image, all of an index.
	// +listType=atomic
	// +optional
	Platforms []Platform `json:"platforms,omitempty"`

	// LastCheckedAt is when the registry last gave a definite answer.
	// +optional
	LastCheckedAt *metav1.Time `json:"lastCheckedAt,omitempty"`
}

// Layer is one layer of an image, as in the OCI image manifest.
type Layer struct {
	// Digest of the compressed layer.
	Digest string `json:"digest"`

	// MediaType of the layer.
	// +optional
	MediaType string `json:"mediaType,omitempty"`

	// SizeBytes is the compressed size.
	SizeBytes int64 `json:"sizeBytes"`
}

// Platform is a platform that an image runs on, as in the OCI image index.
type Platform struct {
	// Architecture, for example arm64.
	Architecture string `json:"architecture"`

	// OS, for example linux.
	OS string `json:"os"`

	// Variant of the architecture, for example v8.
	// +optional
	Variant string `json:"variant,omitempty"`

	// Digest of the platform's own manifest.
	// +optional
	Digest string `json:"digest,omitempty"`

	// SizeBytes is the compressed size of the platform's configuration and layers.
	// +optional
	SizeBytes int64 `json:"sizeBytes,omitempty"`

	// LayerCount is the number of the platform's layers.
	// +optional
	LayerCount int64 `json:"layerCount,omitempty"`
}

// CatalogImageList is a list of entries.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []CatalogImage `json:"items"`
}
