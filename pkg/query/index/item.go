package index

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Item is one entry of a listing: flat, so that a script reads it without knowing Kubernetes. Lists are never null;
// a text that is not known is left out; sizes are bytes, times RFC 3339 in UTC.
type Item struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`

	Image        string `json:"image"`               // as its publisher wrote it
	PinnedRef    string `json:"pinnedRef,omitempty"` // repository@digest as last seen in the registry: what to pull
	Digest       string `json:"digest,omitempty"`
	MediaType    string `json:"mediaType,omitempty"`
	ArtifactType string `json:"artifactType,omitempty"`

	Phase     v1alpha1.Phase          `json:"phase"`
	Reason    string                  `json:"reason,omitempty"`  // why the entry is not Ready
	Message   string                  `json:"message,omitempty"` // the same for people
	Lifecycle v1alpha1.LifecycleState `json:"lifecycle"`
	Verified  bool                    `json:"verified"` // an authority that a policy names signed the image

	Architectures []string `json:"architectures"` // declared or found, in OCI's names
	Platforms     []string `json:"platforms"`     // found: os/architecture[/variant]
	Distro        string   `json:"distro,omitempty"`
	DistroVersion string   `json:"distroVersion,omitempty"`
	Targets       []string `json:"targets"`
	Channel       string   `json:"channel,omitempty"`
	Series        string   `json:"series,omitempty"` // default: the repository
	Tags          []string `json:"tags"`

	Bootc         *bool  `json:"bootc,omitempty"`
	BuildMode     string `json:"buildMode,omitempty"`
	ExportFormat  string `json:"exportFormat,omitempty"`
	KernelVersion string `json:"kernelVersion,omitempty"`

	SizeBytes   int64  `json:"sizeBytes"`
	CreatedAt   string `json:"createdAt,omitempty"` // when the image was built
	PublishedAt string `json:"publishedAt"`         // when the entry was first made, here or where it was restored from

	// What follows is no news; see hashOf.

	AccessCount   int64  `json:"accessCount"` // how often it was asked for by name, or chosen
	LastCheckedAt string `json:"lastCheckedAt,omitempty"`
}

func (i *Item) usable() bool {
	return i.Phase == v1alpha1.PhaseAvailable && i.Lifecycle == v1alpha1.LifecycleActive && i.Digest != ""
}

// Detail is what the answer for a single entry has besides the fields of [Item]. The parts that are lists of the API are
// as the API has them, see pkg/apis/catalog/v1alpha1.
type Detail struct {
	Platforms    []v1alpha1.Platform     `json:"platformDetails"` // with digests and sizes
	Layers       []v1alpha1.Layer        `json:"layers"`          // of a single image, base first; empty for an index
	Artifacts    []v1alpha1.Artifact     `json:"artifacts"`       // files to download, with checksums; empty for a container image
	Referrers    []v1alpha1.Referrer     `json:"referrers"`
	History      []v1alpha1.DigestPeriod `json:"history"` // digests it had before, the latest first
	Targets      []v1alpha1.Target       `json:"targetDetails"`
	Lifecycle    *v1alpha1.Lifecycle     `json:"lifecycleDetails,omitempty"`
	Source       *v1alpha1.Source        `json:"source,omitempty"`
	Verification *v1alpha1.Verification  `json:"verification,omitempty"` // what policies say, and who signed; while none selects the entry none
	CheckRequest *v1alpha1.CheckRequest  `json:"checkRequest,omitempty"`
	PublishedBy  string                  `json:"publishedBy,omitempty"`
	Conditions   []Condition             `json:"conditions"`
}

// JSON is the object of a single entry, as Entry.JSON gives it, of an image that the index may not have heard of.
func JSON(image *v1alpha1.CatalogImage) []byte {
	detail, _ := detailOf(image)
	return appendJoined(nil, Encode(newItem(image)), detail)
}

// Condition is a condition of an entry.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Since   string `json:"since,omitempty"`
}

func newItem(image *v1alpha1.CatalogImage) *Item {
	spec, status, metadata := &image.Spec, &image.Status, &image.Spec.Metadata
	item := &Item{
		Namespace:   image.Namespace,
		Name:        image.Name,
		DisplayName: spec.DisplayName,

		Image:        spec.Image,
		Digest:       status.Digest,
		MediaType:    status.MediaType,
		ArtifactType: status.ArtifactType,

		Phase:     phaseOf(status),
		Lifecycle: lifecycleOf(spec),
		Verified:  status.GetCondition(v1alpha1.ConditionVerified).IsTrue(),

		Architectures: architecturesOf(image),
		Platforms:     platformsOf(status),
		Distro:        string(metadata.Distro),
		DistroVersion: string(metadata.DistroVersion),
		Targets:       targetsOf(metadata),
		Channel:       string(spec.Channel),
		Tags:          append([]string{}, spec.Tags...),

		Bootc:         metadata.Bootc,
		BuildMode:     string(metadata.BuildMode),
		ExportFormat:  string(metadata.ExportFormat),
		KernelVersion: metadata.KernelVersion,

		SizeBytes:     status.SizeBytes,
		CreatedAt:     timeOf(status.CreatedAt),
		PublishedAt:   timeOf(&metav1.Time{Time: image.PublishedAt()}),
		AccessCount:   status.AccessCount,
		LastCheckedAt: timeOf(status.LastCheckedAt),
	}
	item.Series = cmp.Or(string(spec.Series), repositoryOf(spec.Image))
	if found := repositoryOf(status.Image); found != "" && status.Digest != "" {
		item.PinnedRef = found + "@" + status.Digest // as found together: the spec may have changed since
	}
	item.describeReadiness(status)
	return item
}

// repositoryOf is the canonical repository of a reference; "" for one that does not parse, as its entry says itself.
func repositoryOf(reference string) string {
	spec := v1alpha1.CatalogImageSpec{Image: reference}
	ref, err := spec.Reference()
	if err != nil {
		return ""
	}
	return ref.Context().Name()
}

func (i *Item) describeReadiness(status *v1alpha1.CatalogImageStatus) {
	ready := status.GetCondition(v1alpha1.ConditionReady)
	if ready == nil || ready.IsTrue() {
		return
	}
	i.Reason, i.Message = ready.Reason, ready.Message
}

func newDetail(image *v1alpha1.CatalogImage) *Detail {
	spec, status := &image.Spec, &image.Status
	detail := &Detail{
		Platforms:    append([]v1alpha1.Platform{}, status.Platforms...),
		Layers:       append([]v1alpha1.Layer{}, status.Layers...),
		Artifacts:    append([]v1alpha1.Artifact{}, status.Artifacts...),
		Referrers:    append([]v1alpha1.Referrer{}, status.Referrers...),
		History:      append([]v1alpha1.DigestPeriod{}, status.History...),
		Targets:      append([]v1alpha1.Target{}, spec.Metadata.Targets...),
		Lifecycle:    spec.Lifecycle,
		Source:       spec.Source,
		Verification: image.Status.Verification,
		CheckRequest: status.CheckRequest,
		PublishedBy:  image.PublishedBy(),
		Conditions:   make([]Condition, 0, len(status.Conditions)),
	}
	for _, c := range image.Status.Conditions {
		detail.Conditions = append(detail.Conditions, Condition{
			Type:    string(c.Type),
			Status:  string(c.Status),
			Reason:  c.Reason,
			Message: c.Message,
			Since:   timeOf(&c.LastTransitionTime.Inner),
		})
	}
	return detail
}

// phaseOf is the phase that the controller wrote. An entry that it has not seen yet is Pending.
func phaseOf(status *v1alpha1.CatalogImageStatus) v1alpha1.Phase {
	if status.Phase == "" {
		return v1alpha1.PhasePending
	}
	return status.Phase
}

func lifecycleOf(spec *v1alpha1.CatalogImageSpec) v1alpha1.LifecycleState {
	if spec.Lifecycle == nil {
		return v1alpha1.LifecycleActive
	}
	return spec.Lifecycle.State
}

func architecturesOf(image *v1alpha1.CatalogImage) []string {
	architectures := make([]string, 0, 1+len(image.Status.Platforms))
	if declared := image.Spec.Metadata.Architecture; declared != "" {
		architectures = append(architectures, v1alpha1.CanonicalArchitecture(string(declared)))
	}
	for _, platform := range image.Status.Platforms {
		architectures = append(architectures, v1alpha1.CanonicalArchitecture(platform.Architecture))
	}
	slices.Sort(architectures)
	return slices.Compact(architectures)
}

func platformsOf(status *v1alpha1.CatalogImageStatus) []string {
	platforms := make([]string, 0, len(status.Platforms))
	for _, p := range status.Platforms {
		platform := p.OS + "/" + p.Architecture
		if p.Variant != "" {
			platform += "/" + p.Variant
		}
		platforms = append(platforms, platform)
	}
	return platforms
}

func targetsOf(metadata *v1alpha1.ImageMetadata) []string {
	targets := make([]string, 0, len(metadata.Targets))
	for _, target := range metadata.Targets {
		targets = append(targets, string(target.Name))
	}
	return targets
}

func timeOf(t *metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Encode panics where a type cannot be encoded, which no value of the types above can cause: they hold only texts,
// numbers, booleans and lists of those.
func Encode(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encoding a %T: %v", value, err))
	}
	return encoded
}
