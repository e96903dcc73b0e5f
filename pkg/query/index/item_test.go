package index

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func TestItemOfANewEntry(t *testing.T) {
	assert.JSONEq(t, `{
		"namespace": "team-a", "name": "autosd",
		"image": "quay.io/acme/autosd:1", "series": "quay.io/acme/autosd",
		"phase": "Pending", "lifecycle": "Active", "verified": false,
		"architectures": [], "platforms": [], "targets": [], "tags": [],
		"sizeBytes": 0, "publishedAt": "2026-03-01T12:00:00Z", "accessCount": 0
	}`, string(Encode(newItem(imagetest.Image("team-a", "autosd", 0)))))
}

func TestItemOfACheckedEntry(t *testing.T) {
	checked, created, bootc := metav1.NewTime(imagetest.Epoch.Add(time.Hour)), metav1.NewTime(imagetest.Epoch.Add(-time.Hour)), true
	checkedImage := imagetest.Image("team-a", "autosd", 0, imagetest.Architecture("AArch64"), imagetest.Platforms("arm64", "amd64"), imagetest.Distro("autosd"),
		imagetest.Channel("stage"), imagetest.Targets("raspberry-pi", "qemu"), imagetest.Tags("nightly"), imagetest.Phase(v1alpha1.PhaseFailed),
		imagetest.Unready("NotFound", "the registry has no such image"))
	checkedImage.Spec.Series = "autosd-minimal"
	checkedImage.Spec.Metadata.Bootc = &bootc
	checkedImage.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled}
	checkedImage.Status.Platforms[0].Variant = "v8"
	checkedImage.Status.Image, checkedImage.Status.Digest = "quay.io/acme/autosd:1", imagetest.Digest
	checkedImage.Status.MediaType = "application/vnd.oci.image.index.v1+json"
	checkedImage.Status.SizeBytes = 4096
	checkedImage.Status.Conditions = append(checkedImage.Status.Conditions, apis.Condition{Type: v1alpha1.ConditionVerified, Status: corev1.ConditionTrue})
	checkedImage.Status.AccessCount = 7
	checkedImage.Status.CreatedAt, checkedImage.Status.LastCheckedAt = &created, &checked

	assert.JSONEq(t, `{
		"namespace": "team-a", "name": "autosd",
		"image": "quay.io/acme/autosd:1", "pinnedRef": "quay.io/acme/autosd@`+imagetest.Digest+`", "digest": "`+imagetest.Digest+`",
		"mediaType": "application/vnd.oci.image.index.v1+json",
		"phase": "Failed", "reason": "NotFound", "message": "the registry has no such image", "lifecycle": "Recalled", "verified": true,
		"architectures": ["amd64", "arm64"], "platforms": ["linux/arm64/v8", "linux/amd64"],
		"distro": "autosd", "targets": ["raspberry-pi", "qemu"], "channel": "stage", "series": "autosd-minimal",
		"tags": ["nightly"], "bootc": true, "sizeBytes": 4096,
		"createdAt": "2026-03-01T11:00:00Z", "publishedAt": "2026-03-01T12:00:00Z", "accessCount": 7, "lastCheckedAt": "2026-03-01T13:00:00Z"
	}`, string(Encode(newItem(checkedImage))))
}

// An entry that moved to another image is listed before that image is looked up.
func TestThePinnedReferenceIsOneThatWasFound(t *testing.T) {
	moved := imagetest.Image("team-a", "autosd", 0)
	moved.Spec.Image = "quay.io/elsewhere/autosd:2"
	moved.Status.Image, moved.Status.Digest = "quay.io/acme/autosd:1", imagetest.Digest
	assert.Equal(t, "quay.io/acme/autosd@"+imagetest.Digest, newItem(moved).PinnedRef)
}

func TestAnEntryThatNoWebhookCheckedIsListed(t *testing.T) {
	broken := imagetest.Image("team-a", "broken", 0)
	broken.Spec.Image, broken.Status.Digest = "not a reference", imagetest.Digest
	item := newItem(broken)
	assert.Equal(t, "not a reference", item.Image)
	assert.Empty(t, item.PinnedRef)
	assert.Empty(t, item.Series)
}

// An entry that was restored, here or in another cluster, keeps its place in the listing.
func TestAnEntryIsListedByWhenItWasPublished(t *testing.T) {
	restored := imagetest.Image("team-a", "restored", 60)
	restored.Annotations = map[string]string{v1alpha1.PublishedAtAnnotation: "2026-03-01T12:05:00Z"}
	c := newCatalog(t, imagetest.Image("team-a", "before", 4), imagetest.Image("team-a", "after", 6), restored)

	assert.Equal(t, "2026-03-01T12:05:00Z", newItem(restored).PublishedAt)
	assert.Equal(t, []string{"after", "restored", "before"}, c.everything())
}

func TestTheSeriesOfAnEntryThatDeclaresNoneIsItsCanonicalRepository(t *testing.T) {
	short := imagetest.Image("team-a", "nginx", 0)
	for _, spelling := range []string{"nginx:1", "DOCKER.IO:443/library/nginx@" + imagetest.Digest} {
		short.Spec.Image = spelling
		assert.Equal(t, "index.docker.io/library/nginx", newItem(short).Series, spelling)
	}
}

func TestDetailAddsAllThatIsKnown(t *testing.T) {
	at := metav1.NewTime(imagetest.Epoch)
	detailed := imagetest.Image("team-a", "autosd", 0, imagetest.Unready("NotFound", "gone"), imagetest.Tags("nightly"))
	detailed.Spec.Source = &v1alpha1.Source{Kind: v1alpha1.SourcePipelineRun, Name: "nightly-1"}
	detailed.Spec.Metadata.Targets = []v1alpha1.Target{{Name: "qemu", Verified: true, Notes: "by hand"}}
	detailed.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleDeprecated, Reason: "old", Successor: "autosd-2"}
	detailed.Annotations = map[string]string{v1alpha1.CreatorAnnotation: "jane"}
	status := &detailed.Status
	status.Layers = []v1alpha1.Layer{{Digest: imagetest.Digest, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", SizeBytes: 7}}
	status.Platforms = []v1alpha1.Platform{{OS: "linux", Architecture: "arm64", Digest: imagetest.Digest, SizeBytes: 7, LayerCount: 1}}
	status.Artifacts = []v1alpha1.Artifact{{Name: "disk.qcow2", Type: "application/zstd", URL: "https://quay.io/v2/acme/autosd/blobs/" + imagetest.Digest, Digest: imagetest.Digest, SizeBytes: 7}}
	status.Referrers = []v1alpha1.Referrer{{Digest: imagetest.Digest, ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json", SizeBytes: 3}}
	status.History = []v1alpha1.DigestPeriod{{Digest: imagetest.Digest, To: at, Cause: v1alpha1.CauseTagMoved}}
	status.CheckRequest = &v1alpha1.CheckRequest{RequestedAt: "now", FinishedAt: at, Outcome: "NotFound", Message: "gone"}

	assert.JSONEq(t, `{
		"layers": [{"digest": "`+imagetest.Digest+`", "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "sizeBytes": 7}],
		"platformDetails": [{"os": "linux", "architecture": "arm64", "digest": "`+imagetest.Digest+`", "sizeBytes": 7, "layerCount": 1}],
		"artifacts": [{"name": "disk.qcow2", "type": "application/zstd", "url": "https://quay.io/v2/acme/autosd/blobs/`+imagetest.Digest+`", "digest": "`+imagetest.Digest+`", "sizeBytes": 7}],
		"referrers": [{"digest": "`+imagetest.Digest+`", "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json", "sizeBytes": 3}],
		"history": [{"digest": "`+imagetest.Digest+`", "to": "2026-03-01T12:00:00Z", "cause": "TagMoved"}],
		"checkRequest": {"requestedAt": "now", "finishedAt": "2026-03-01T12:00:00Z", "outcome": "NotFound", "message": "gone"},
		"targetDetails": [{"name": "qemu", "verified": true, "notes": "by hand"}],
		"source": {"kind": "PipelineRun", "name": "nightly-1"},
		"lifecycleDetails": {"state": "Deprecated", "reason": "old", "successor": "autosd-2"},
		"publishedBy": "jane",
		"conditions": [{"type": "Ready", "status": "False", "reason": "NotFound", "message": "gone", "since": "2026-03-01T12:00:00Z"}]
	}`, string(Encode(newDetail(detailed))))

	c := newCatalog(t, detailed)
	var all struct {
		Item
		Detail
	}
	require.NoError(t, json.Unmarshal(c.Latest().Get("team-a", "autosd").JSON(), &all))
	assert.Equal(t, *newItem(detailed), all.Item)
	assert.JSONEq(t, string(Encode(newDetail(detailed))), string(Encode(all.Detail)))
}
