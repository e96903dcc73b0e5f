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

// Phases are all of them, in the order in which an entry may come to them.
func Phases() []Phase {
	return []Phase{PhasePending, PhaseVerifying, PhaseAvailable, PhaseUnavailable, PhaseFailed}
}

// CatalogImageStatus is what the catalog found in the registry.
//
// The rules bound what knative's type leaves unbounded.
//
// +kubebuilder:validation:XValidation:rule="!has(self.conditions) || size(self.conditions) <= 16",message="at most 16 conditions",fieldPath=".conditions"
// +kubebuilder:validation:XValidation:rule="!has(self.conditions) || self.conditions.all(c, size(c.type) <= 64 && size(c.status) <= 16 && (!has(c.severity) || size(c.severity) <= 16) && (!has(c.lastTransitionTime) || size(c.lastTransitionTime) <= 64))",message="a type has at most 64 characters, a time too, a status or severity 16",fieldPath=".conditions"
// +kubebuilder:validation:XValidation:rule="!has(self.conditions) || self.conditions.all(c, (!has(c.reason) || size(c.reason) <= 64) && (!has(c.message) || size(c.message) <= 2048))",message="a reason has at most 64 characters, a message 2048",fieldPath=".conditions"
// +kubebuilder:validation:XValidation:rule="!has(self.annotations) || (size(self.annotations) <= 16 && self.annotations.all(key, size(key) <= 317 && size(self.annotations[key]) <= 1024))",message="at most 16 annotations, of 1024 characters each",fieldPath=".annotations"
type CatalogImageStatus struct {
	// Conditions and observedGeneration. Ready is True when Resolved, PolicySatisfied and Unique are; Verified, Fresh and MetadataMatches inform.
	duckv1.Status `json:",inline"`

	// Phase sums up the conditions: Pending (never looked up), Verifying (no answer yet), Available (Ready), Unavailable (was there once, and is not to be had now) or Failed (never found as described, or breaks a rule).
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// Image is the canonical reference that the rest of the status speaks of, for example index.docker.io/library/nginx:latest for nginx.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Image string `json:"image,omitempty"`

	// Digest of the manifest or index that the reference names. Set once the image was resolved.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Digest string `json:"digest,omitempty"`

	// DigestSince is when the image was first found to have the digest; absent while it is known to be deleted.
	// +optional
	DigestSince *metav1.Time `json:"digestSince,omitempty"`

	// MediaType of that manifest or index, for example application/vnd.oci.image.index.v1+json.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	MediaType string `json:"mediaType,omitempty"`

	// ArtifactType of an OCI artifact that is not a container image, for example a disk image's.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	ArtifactType string `json:"artifactType,omitempty"`

	// SizeBytes is the compressed size in the registry, in bytes: all distinct blobs of all platforms.
	// +optional
	SizeBytes int64 `json:"sizeBytes,omitempty"`

	// CreatedAt is when the image was built, as it says itself; for an index the newest of its platforms.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// Layers of a single image, base first; empty for an index, whose platforms have their own. The first 128 are listed.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	Layers []Layer `json:"layers,omitempty"`

	// LayerCount is the number of layers of a single image.
	// +optional
	LayerCount int64 `json:"layerCount,omitempty"`

	// Platforms that the image runs on: one for a single image, all of an index. The first 64 are listed.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Platforms []Platform `json:"platforms,omitempty"`

	// Artifacts are the files of an OCI artifact, for example a disk image: what to download, with checksums. Empty for a container image. The first 64 are listed.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Artifacts []Artifact `json:"artifacts,omitempty"`

	// Referrers are manifests that name the image as their subject, for example signatures, as they were when the image was last described: when it was first found, or when its digest changed. That they do is the registry's word; nothing about them was verified. The first 64 are listed.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Referrers []Referrer `json:"referrers,omitempty"`

	// History tells which digests the image had before, the latest first, and why they ceased. The last 16 are kept.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	History []DigestPeriod `json:"history,omitempty"`

	// CheckRequest is the outcome of the latest check that was asked for by the annotation imagecatalog.dev/check-requested-at.
	// +optional
	CheckRequest *CheckRequest `json:"checkRequest,omitempty"`

	// PublishedAt is when the entry was published, as the annotation imagecatalog.dev/published-at says.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`

	// PublishedBy is the user who published the entry, as the annotation imagecatalog.dev/creator says.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	PublishedBy string `json:"publishedBy,omitempty"`

	// LastCheckedAt is when the registry last gave a definite answer.
	// +optional
	LastCheckedAt *metav1.Time `json:"lastCheckedAt,omitempty"`

	// OutageSince is when the first of the checks failed that the registry has left without an answer since; absent while it answers. For an hour from then on the last verdicts stand.
	// +optional
	OutageSince *metav1.Time `json:"outageSince,omitempty"`

	// Damaged names the stored fields that could not be read; it is not stored itself.
	Damaged []string `json:"-"`
}

// Layer is one layer of an image, as in the OCI image manifest.
type Layer struct {
	// Digest of the compressed layer.
	// +kubebuilder:validation:MaxLength=255
	Digest string `json:"digest"`

	// MediaType of the layer, for example application/vnd.oci.image.layer.v1.tar+zstd.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	MediaType string `json:"mediaType,omitempty"`

	// SizeBytes is the compressed size, in bytes.
	SizeBytes int64 `json:"sizeBytes"`
}

// Platform is a platform that an image runs on, as in the OCI image index.
type Platform struct {
	// Architecture, for example arm64.
	// +kubebuilder:validation:MaxLength=255
	Architecture string `json:"architecture"`

	// OS, for example linux.
	// +kubebuilder:validation:MaxLength=255
	OS string `json:"os"`

	// Variant of the architecture, for example v8.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Variant string `json:"variant,omitempty"`

	// Digest of the platform's own manifest.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Digest string `json:"digest,omitempty"`

	// SizeBytes is the compressed size of the platform's configuration and layers, in bytes.
	// +optional
	SizeBytes int64 `json:"sizeBytes,omitempty"`

	// LayerCount is the number of the platform's layers.
	// +optional
	LayerCount int64 `json:"layerCount,omitempty"`
}

// HistoryCause is why an image ceased to have a digest.
//
// +kubebuilder:validation:Enum=TagMoved;ImageDeleted;SpecChanged
type HistoryCause string

// The causes.
const (
	// CauseTagMoved is drift: the tag names another image now.
	CauseTagMoved HistoryCause = "TagMoved"
	// CauseImageDeleted means that the registry has the image no more.
	CauseImageDeleted HistoryCause = "ImageDeleted"
	// CauseSpecChanged means that the entry is of another image now.
	CauseSpecChanged HistoryCause = "SpecChanged"
)

// DigestPeriod is a time in which an image had one digest, as far as checks saw it.
type DigestPeriod struct {
	// Digest that the image had.
	// +kubebuilder:validation:MaxLength=255
	Digest string `json:"digest"`

	// From is when a check first found it.
	// +optional
	From *metav1.Time `json:"from,omitempty"`

	// To is when a check first found that it had ceased.
	To metav1.Time `json:"to"`

	// Cause is TagMoved (drift), ImageDeleted or SpecChanged.
	Cause HistoryCause `json:"cause"`
}

// CheckRequest is a check that was asked for, and what came of it.
type CheckRequest struct {
	// RequestedAt is the annotation's value, as it was written.
	// +kubebuilder:validation:MaxLength=64
	RequestedAt string `json:"requestedAt"`

	// FinishedAt is when the check ended.
	FinishedAt metav1.Time `json:"finishedAt"`

	// Outcome is Resolved, or the reason why not, for example NotFound or RegistryUnavailable.
	// +kubebuilder:validation:MaxLength=64
	Outcome string `json:"outcome"`

	// Message is for people: what the registry answered.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	Message string `json:"message,omitempty"`
}

// Artifact is a file to download.
type Artifact struct {
	// Name of the file as the artifact gives it (annotation org.opencontainers.image.title), for example disk.qcow2.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Name string `json:"name,omitempty"`

	// Type is the media type of the file as it is stored, for example application/zstd.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Type string `json:"type,omitempty"`

	// URL from which the registry serves the file, by the same credentials as the image.
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`

	// Digest of the file, its checksum.
	// +kubebuilder:validation:MaxLength=255
	Digest string `json:"digest"`

	// SizeBytes is the size of the file, in bytes.
	SizeBytes int64 `json:"sizeBytes"`

	// Architecture that the file is for, where an index has one for each.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Architecture string `json:"architecture,omitempty"`
}

// Referrer is a manifest that names an image as its subject, as in the OCI distribution specification.
type Referrer struct {
	// Digest of the manifest.
	// +kubebuilder:validation:MaxLength=255
	Digest string `json:"digest"`

	// ArtifactType says what it is, for example application/vnd.dev.sigstore.bundle.v0.3+json.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	ArtifactType string `json:"artifactType,omitempty"`

	// SizeBytes is the size of the manifest, in bytes.
	SizeBytes int64 `json:"sizeBytes"`
}

// CatalogImageList is a list of entries.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type CatalogImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []CatalogImage `json:"items"`
}
