package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/pkg/kmeta"
)

// CatalogImage is one entry of the catalog: one published build of an OS image, a container image or a disk image.
// The least that it takes is spec.image; everything under status is found out by the catalog.
//
// +genclient
// +genreconciler
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says which image this is. It is the publisher's statement; the catalog never rewrites it.
	Spec CatalogImageSpec `json:"spec"`

	// Status says what the catalog found in the registry. Only the catalog writes it.
	// +optional
	Status CatalogImageStatus `json:"status,omitempty"`
}

var (
	_ apis.Defaultable   = (*CatalogImage)(nil)
	_ apis.Validatable   = (*CatalogImage)(nil)
	_ kmeta.OwnerRefable = (*CatalogImage)(nil)
	_ duckv1.KRShaped    = (*CatalogImage)(nil)
)

// CatalogImageSpec is what the publisher says about an image.
type CatalogImageSpec struct {
	// Image is the reference of the image, for example quay.io/acme/autosd:rpi4-1.2. It may carry a tag, a sha256 digest or both; with neither, the tag is latest. Docker's short names work: nginx is docker.io/library/nginx:latest.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image"`

	// Digest pins the entry to one manifest or index: sha256: and 64 hexadecimal digits. An entry without a digest, here or in image, follows its tag.
	// +kubebuilder:validation:MaxLength=135
	// +kubebuilder:validation:XValidation:rule="self.matches('^(sha256:[0-9a-f]{64})?$')",message="write sha256: and 64 hexadecimal digits in lower case, as the registry shows them"
	// +optional
	Digest string `json:"digest,omitempty"`

	// DisplayName is the name that people read in listings, for example AutoSD 1.2 for the Raspberry Pi 4.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// Tags are free-form categories, for example nightly or safety. They are not the tags of the registry. At most 32 of 1 to 63 characters, none twice.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	Tags []string `json:"tags,omitempty"`

	// Series groups the builds of one thing, for example autosd-minimal. Declared, it is the label imagecatalog.dev/series too. Default: the repository of the image, which no label can hold.
	// +optional
	Series Facet `json:"series,omitempty"`

	// Channel is the promotion stage, for example dev, stage or prod. It is the label imagecatalog.dev/channel too.
	// +optional
	Channel Facet `json:"channel,omitempty"`

	// Metadata is what the publisher declares about the content of the image. What the image contradicts is reported by the condition MetadataMatches.
	// +optional
	Metadata ImageMetadata `json:"metadata,omitempty"`

	// Source names the build that made the image.
	// +optional
	Source *Source `json:"source,omitempty"`

	// ServiceAccountName is a service account in the entry's namespace whose pull secrets open the registry, for example puller. Default: none; the registry is asked without credentials unless imagePullSecrets has some.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$')",message="write the name of a service account: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// ImagePullSecrets are secrets in the entry's namespace that open the registry, as for a pod. At most 16.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	ImagePullSecrets []PullSecret `json:"imagePullSecrets,omitempty"`

	// CheckInterval is how often the registry is asked again: a number of hours, minutes and seconds, for example 30m or 1h30m. From 1m to 8760h (a year). Default: 1h.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,5}([.][0-9]{1,9})?h)?([0-9]{1,7}([.][0-9]{1,9})?m)?([0-9]{1,9}([.][0-9]{1,9})?s)?$') && duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="must be at least 1m and at most 8760h: hours, minutes and seconds, such as 30m or 1h30m"
	// +optional
	CheckInterval *metav1.Duration `json:"checkInterval,omitempty"`

	// Lifecycle says whether the image should still be used. Default: Active.
	// +optional
	Lifecycle *Lifecycle `json:"lifecycle,omitempty"`
}

// PullSecret is a secret in the entry's namespace.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="name a secret in the entry's namespace",reason=FieldValueRequired,fieldPath=".name"
type PullSecret struct {
	// Name of the secret, which is of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg, for example quay-pull.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$')",message="write the name of a secret: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
	// +optional
	Name string `json:"name"`
}

// Facet is a short value that fits in a label: up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
type Facet string

// ImageMetadata is what is declared about the content of an image. Its facets are short values that fit in a label.
type ImageMetadata struct {
	// Architecture of the processor, for example arm64. x86_64 counts as amd64 and aarch64 as arm64. It is the label arch.imagecatalog.dev/<architecture> too.
	// +optional
	Architecture Facet `json:"architecture,omitempty"`

	// OS is the operating system as in the OCI image configuration, for example linux.
	// +optional
	OS Facet `json:"os,omitempty"`

	// Variant of the architecture, for example v8.
	// +optional
	Variant Facet `json:"variant,omitempty"`

	// Distro is the distribution, for example autosd or centos-stream. It is the label imagecatalog.dev/distro too.
	// +optional
	Distro Facet `json:"distro,omitempty"`

	// DistroVersion is the version of the distribution, for example "10" (in quotes: YAML reads 10 as a number).
	// +optional
	DistroVersion Facet `json:"distroVersion,omitempty"`

	// Targets are the boards and machines that the image is built for, at most 64. Each is the label target.imagecatalog.dev/<name> too.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Targets []Target `json:"targets,omitempty"`

	// Bootc says that the image is a bootable container. Absent: nobody said.
	// +optional
	Bootc *bool `json:"bootc,omitempty"`

	// BuildMode is the mode of the image builder, for example image, package or bootc.
	// +optional
	BuildMode Facet `json:"buildMode,omitempty"`

	// ExportFormat is the format of the disk image, for example qcow2 or raw.
	// +optional
	ExportFormat Facet `json:"exportFormat,omitempty"`

	// KernelVersion is the version of the kernel in the image, for example 6.12.0-100.el10iv.aarch64.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	KernelVersion string `json:"kernelVersion,omitempty"`
}

// Target is a board or machine that an image is built for.
type Target struct {
	// Name of the board, for example raspberry-pi or qemu.
	// +kubebuilder:validation:MinLength=1
	Name Facet `json:"name"`

	// Verified says that the image was tested on the board, not only built for it. Default: false.
	// +optional
	Verified bool `json:"verified,omitempty"`

	// Notes are for people, for example: tested on revision 1.5.
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
// +kubebuilder:validation:XValidation:rule="self.kind == 'External' || !has(self.name) || self.name.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$')",message="write the name of the run or build: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="self.kind == 'External' || (has(self.name) && size(self.name) > 0)",message="name the run or build that made the image; only kind External goes without",reason=FieldValueRequired,fieldPath=".name"
type Source struct {
	// Kind of the build: External (made outside of the cluster), PipelineRun, TaskRun or ImageBuild.
	Kind SourceKind `json:"kind"`

	// Name of the run or build in the entry's namespace, for example autosd-nightly-4711. An External source may have none, or any text that finds the build, such as the address of its log.
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
//
// +kubebuilder:validation:XValidation:rule="self.state != 'Recalled' || (has(self.reason) && size(self.reason) > 0)",message="say why the image is recalled: whoever runs it has to decide what to do",reason=FieldValueRequired,fieldPath=".reason"
type Lifecycle struct {
	// State is Active, Deprecated (there is a better one) or Recalled (do not use).
	State LifecycleState `json:"state"`

	// Reason is for people: why the image is deprecated or recalled, for example: the Wi-Fi driver loses its connection. Recalled needs one.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`

	// Successor is another entry in the same namespace, to use instead, for example autosd-rpi4-1.3.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$')",message="write the name of an entry: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
	// +optional
	Successor string `json:"successor,omitempty"`
}

// CatalogImageList is a list of entries.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []CatalogImage `json:"items"`
}
