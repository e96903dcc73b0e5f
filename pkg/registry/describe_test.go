package registry_test

import (
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

func TestDescribeImage(t *testing.T) {
	s := newServer(t)
	image := mutate.Annotations(newImage(t, "one"), map[string]string{"com.redhat.automotive.distro": "autosd"}).(v1.Image)
	s.push("acme/os:1", image)
	s.inject(nil)

	got, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)

	manifest, err := image.Manifest()
	require.NoError(t, err)
	layers := []registry.Layer{
		{Digest: manifest.Layers[0].Digest.String(), MediaType: string(types.OCILayer), SizeBytes: int64(len("the base of all"))},
		{Digest: manifest.Layers[1].Digest.String(), MediaType: string(types.OCILayer), SizeBytes: int64(len("one"))},
	}
	size := manifest.Config.Size + layers[0].SizeBytes + layers[1].SizeBytes
	assert.Equal(t, &registry.Description{
		Digest:    digestOf(t, image),
		MediaType: string(types.OCIManifestSchema1),
		SizeBytes: size,
		Created:   built,
		Layers:    layers,
		Platforms: []registry.Platform{{Architecture: "arm64", OS: "linux", Variant: "v8", Digest: digestOf(t, image), SizeBytes: size, LayerCount: 2}},
		Blobs: []registry.Blob{
			{Digest: manifest.Config.Digest.String(), SizeBytes: manifest.Config.Size},
			{Digest: layers[0].Digest, SizeBytes: layers[0].SizeBytes},
			{Digest: layers[1].Digest, SizeBytes: layers[1].SizeBytes},
		},
		Annotations: map[string]string{"com.redhat.automotive.distro": "autosd"},
		Labels:      map[string]string{"containers.bootc": "1", "content": "one"},
	}, got)
	assert.Equal(t, []string{"GET /v2/", "GET /v2/acme/os/manifests/1", "GET /v2/acme/os/blobs/"}, s.log(), "three requests")
}

func TestDescribeIndex(t *testing.T) {
	s := newServer(t)
	arm := newImage(t, "arm")
	amd := newImage(t, "amd", func(c *v1.ConfigFile) {
		c.Architecture, c.Variant, c.Created = "amd64", "", v1.Time{Time: built.Add(time.Hour)}
	})
	attestation := newImage(t, "attestation", func(c *v1.ConfigFile) { c.Created = v1.Time{Time: built.Add(9 * time.Hour)} })
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: amd},
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
		}},
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
		}},
	)
	s.pushIndex("acme/os:1", index)
	s.inject(nil)

	got, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)

	assert.Equal(t, digestOf(t, index), got.Digest)
	assert.Equal(t, string(types.OCIImageIndex), got.MediaType)
	assert.Equal(t, built.Add(time.Hour), got.Created, "the newest platform's")
	assert.Nil(t, got.Layers)
	assert.Equal(t, map[string]string{"containers.bootc": "1"}, got.Labels, "what all platforms agree on")
	require.Len(t, got.Platforms, 2)
	assert.Equal(t, "linux/arm64/", got.Platforms[0].OS+"/"+got.Platforms[0].Architecture+"/"+got.Platforms[0].Variant, "as the index says")
	assert.Equal(t, "linux/amd64/", got.Platforms[1].OS+"/"+got.Platforms[1].Architecture+"/"+got.Platforms[1].Variant, "as the configuration says")
	assert.Equal(t, digestOf(t, amd), got.Platforms[1].Digest)
	assert.Len(t, got.Blobs, 5, "two configurations, two layers, and one layer that both have")
	shared := int64(len("the base of all"))
	assert.Equal(t, got.Platforms[0].SizeBytes+got.Platforms[1].SizeBytes-shared, got.SizeBytes)
	assert.Len(t, s.log(), 2+2*2, "2+2p requests")
}

func TestDescribeArtifact(t *testing.T) {
	s := newServer(t)
	disk := mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.acme.disk.v1+json"), types.OCIManifestSchema1)
	disk, err := mutate.AppendLayers(disk, static.NewLayer([]byte("qcow2"), "application/vnd.acme.qcow2"))
	require.NoError(t, err)
	disk = mutate.Annotations(disk, map[string]string{"org.opencontainers.image.created": "2026-03-01T12:00:00Z"}).(v1.Image)
	s.push("acme/disk:1", disk)
	s.inject(nil)

	got, err := describe(s.ref("acme/disk:1"))
	require.NoError(t, err)
	assert.Equal(t, "application/vnd.acme.disk.v1+json", got.ArtifactType)
	assert.Equal(t, built, got.Created)
	assert.Empty(t, got.Platforms)
	assert.Empty(t, got.Labels)
	require.Len(t, got.Layers, 1)
	assert.Equal(t, "application/vnd.acme.qcow2", got.Layers[0].MediaType)
	assert.Equal(t, []string{"GET /v2/", "GET /v2/acme/disk/manifests/1"}, s.log(), "its configuration is not read")
}

func TestDescribeNestedIndex(t *testing.T) {
	s := newServer(t)
	nest := func(depth int) v1.ImageIndex {
		index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: newImage(t, "leaf")})
		for range depth - 1 {
			index = mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: index})
		}
		return index
	}
	s.pushIndex("acme/os:deepest", nest(registry.MaxDepth))
	s.pushIndex("acme/os:too-deep", nest(registry.MaxDepth+1))

	got, err := describe(s.ref("acme/os:deepest"))
	require.NoError(t, err)
	assert.Len(t, got.Platforms, 1)

	_, err = describe(s.ref("acme/os:too-deep"))
	assert.Equal(t, registry.TooLarge, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "more than 3 indexes inside each other")
}

func TestDescribeWideIndex(t *testing.T) {
	s := newServer(t)
	image := newImage(t, "leaf")
	wide := func(width int) v1.ImageIndex {
		addenda := make([]mutate.IndexAddendum, width)
		for i := range addenda {
			addenda[i] = mutate.IndexAddendum{Add: image}
		}
		return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), addenda...)
	}
	s.pushIndex("acme/os:widest", wide(registry.MaxManifests))
	s.pushIndex("acme/os:too-wide", wide(registry.MaxManifests+1))
	s.inject(nil)

	got, err := describe(s.ref("acme/os:widest"))
	require.NoError(t, err)
	assert.Len(t, got.Platforms, registry.MaxManifests)
	assert.Len(t, s.log(), 4, "a manifest that is named often is read once")

	_, err = describe(s.ref("acme/os:too-wide"))
	assert.Equal(t, registry.TooLarge, registry.ReasonOf(err))
}

func TestDescribeByDigest(t *testing.T) {
	s := newServer(t)
	image := newImage(t, "one")
	s.push("acme/os:1", image)

	ref, err := name.NewDigest(s.host + "/acme/os@" + digestOf(t, image))
	require.NoError(t, err)
	got, err := describe(ref)
	require.NoError(t, err)
	assert.Equal(t, ref.DigestStr(), got.Digest)
}
