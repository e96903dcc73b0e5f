package query

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestItemOfANewEntry(t *testing.T) {
	assert.JSONEq(t, `{
		"namespace": "team-a", "name": "autosd",
		"image": "quay.io/acme/autosd:1", "series": "quay.io/acme/autosd",
		"phase": "Pending", "lifecycle": "Active",
		"architectures": [], "platforms": [], "targets": [], "tags": [],
		"sizeBytes": 0, "publishedAt": "2026-03-01T12:00:00Z"
	}`, string(newEntry(image("team-a", "autosd", 0)).item))
}

func TestItemOfACheckedEntry(t *testing.T) {
	checked, created, bootc := metav1.NewTime(epoch.Add(time.Hour)), metav1.NewTime(epoch.Add(-time.Hour)), true
	checkedImage := image("team-a", "autosd", 0, architecture("AArch64"), platforms("arm64", "amd64"), distro("autosd"),
		channel("stage"), targets("raspberry-pi", "qemu"), tags("nightly"), phase(v1alpha1.PhaseFailed),
		unready("NotFound", "the registry has no such image"))
	checkedImage.Spec.Series = "autosd-minimal"
	checkedImage.Spec.Metadata.Bootc = &bootc
	checkedImage.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled}
	checkedImage.Status.Platforms[0].Variant = "v8"
	checkedImage.Status.Image, checkedImage.Status.Digest = "quay.io/acme/autosd:1", digest
	checkedImage.Status.MediaType = "application/vnd.oci.image.index.v1+json"
	checkedImage.Status.SizeBytes = 4096
	checkedImage.Status.CreatedAt, checkedImage.Status.LastCheckedAt = &created, &checked

	assert.JSONEq(t, `{
		"namespace": "team-a", "name": "autosd",
		"image": "quay.io/acme/autosd:1", "pinnedRef": "quay.io/acme/autosd@`+digest+`", "digest": "`+digest+`",
		"mediaType": "application/vnd.oci.image.index.v1+json",
		"phase": "Failed", "reason": "NotFound", "message": "the registry has no such image", "lifecycle": "Recalled",
		"architectures": ["amd64", "arm64"], "platforms": ["linux/arm64/v8", "linux/amd64"],
		"distro": "autosd", "targets": ["raspberry-pi", "qemu"], "channel": "stage", "series": "autosd-minimal",
		"tags": ["nightly"], "bootc": true, "sizeBytes": 4096,
		"createdAt": "2026-03-01T11:00:00Z", "publishedAt": "2026-03-01T12:00:00Z", "lastCheckedAt": "2026-03-01T13:00:00Z"
	}`, string(newEntry(checkedImage).item))
}

// An entry that moved to another image is listed before that image is looked up.
func TestThePinnedReferenceIsOneThatWasFound(t *testing.T) {
	moved := image("team-a", "autosd", 0)
	moved.Spec.Image = "quay.io/elsewhere/autosd:2"
	moved.Status.Image, moved.Status.Digest = "quay.io/acme/autosd:1", digest
	assert.Equal(t, "quay.io/acme/autosd@"+digest, newItem(moved).PinnedRef)
}

func TestAnEntryThatNoWebhookCheckedIsListed(t *testing.T) {
	broken := image("team-a", "broken", 0)
	broken.Spec.Image, broken.Status.Digest = "not a reference", digest
	item := newItem(broken)
	assert.Equal(t, "not a reference", item.Image)
	assert.Empty(t, item.PinnedRef)
	assert.Empty(t, item.Series)
}

// An entry that was restored, here or in another cluster, keeps its place in the listing.
func TestAnEntryIsListedByWhenItWasPublished(t *testing.T) {
	restored := image("team-a", "restored", 60)
	restored.Annotations = map[string]string{v1alpha1.PublishedAtAnnotation: "2026-03-01T12:05:00Z"}
	before, after := newEntry(image("team-a", "before", 4)), newEntry(image("team-a", "after", 6))

	entry := newEntry(restored)
	assert.Equal(t, "2026-03-01T12:05:00Z", newItem(restored).PublishedAt)
	assert.True(t, after.before(entry.key))
	assert.True(t, entry.before(before.key))
}

func TestTheSeriesOfAnEntryThatDeclaresNoneIsItsCanonicalRepository(t *testing.T) {
	short := image("team-a", "nginx", 0)
	for _, spelling := range []string{"nginx:1", "DOCKER.IO:443/library/nginx@" + digest} {
		short.Spec.Image = spelling
		assert.Equal(t, "index.docker.io/library/nginx", newItem(short).Series, spelling)
	}
}

func TestDetailAddsLayersAndConditions(t *testing.T) {
	detailed := image("team-a", "autosd", 0, unready("NotFound", "gone"))
	detailed.Status.Layers = []v1alpha1.Layer{{Digest: digest, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", SizeBytes: 7}}
	assert.JSONEq(t, `{
		"namespace": "team-a", "name": "autosd",
		"image": "quay.io/acme/autosd:1", "series": "quay.io/acme/autosd",
		"phase": "Pending", "reason": "NotFound", "message": "gone", "lifecycle": "Active",
		"architectures": [], "platforms": [], "targets": [], "tags": [],
		"sizeBytes": 0, "publishedAt": "2026-03-01T12:00:00Z",
		"layers": [{"digest": "`+digest+`", "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "sizeBytes": 7}],
		"conditions": [{"type": "Ready", "status": "False", "reason": "NotFound", "message": "gone", "since": "2026-03-01T12:00:00Z"}]
	}`, string(newEntry(detailed).json()))
}
