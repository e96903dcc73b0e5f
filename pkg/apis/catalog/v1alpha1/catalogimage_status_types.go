package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	duckv1 "knative.dev/pkg/apis/duck/v1"
)

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

	// Verification is what the policies that select the entry say about the image, and who signed it. Absent while none selects it.
	// +optional
	Verification *Verification `json:"verification,omitempty"`

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

	// AccessCount is how often somebody was shown the entry by itself or had it chosen for them by the query server, as far as its replicas were read. It follows with the next check, or within a day.
	// +kubebuilder:validation:Minimum=0
	// +optional
	AccessCount int64 `json:"accessCount,omitempty"`

	// AccessReadings is what of accessCount each replica of the query server that runs has counted, so that nothing is added twice.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	AccessReadings []AccessReading `json:"accessReadings,omitempty"`

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

// AccessReading is what a replica of the query server has counted since it started.
type AccessReading struct {
	// Replica is what it called itself when it started.
	// +kubebuilder:validation:MaxLength=64
	Replica string `json:"replica"`

	// Count is how often it has shown the entry, as last read.
	// +kubebuilder:validation:Minimum=0
	Count int64 `json:"count"`
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
