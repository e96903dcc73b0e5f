package registry

import "time"

// Description is what a registry tells about an image, an index of images or an OCI artifact. Several callers may have
// the same one, so it is not to be changed.
type Description struct {
	// Digest of the manifest or index, computed from its bytes.
	Digest string
	// MediaType of the manifest or index.
	MediaType string
	// ArtifactType of what is not a container image, for example a disk image; else usually empty (OCI image
	// specification, "Guidelines for Artifact Usage").
	ArtifactType string
	// SizeBytes is the sum of Blobs: what a client of all platforms would download.
	SizeBytes int64
	// Created is when the image was built, as it says itself: its configuration's date, else its annotation; of an
	// index the newest of its images. The zero time if nothing says.
	Created time.Time
	// Layers of a single image or artifact, base first; nil for an index.
	Layers []Layer
	// Platforms of an index in its order; of a single image the one; none for an artifact. Attestations that build
	// tools store in an index are no platforms.
	Platforms []Platform
	// Blobs are the distinct configurations and layers of all platforms, in the order of their first mention.
	Blobs []Blob
	// Files of an artifact, for example a disk image; of an index those of all artifacts in it. None for a container image.
	Files []File
	// Annotations of the manifest or index, without those longer than MaxFactBytes.
	Annotations map[string]string
	// Labels of the image's configuration; for an index those on which all its images agree. Likewise without long ones.
	Labels map[string]string
}

// File is what an artifact consists of: something to download.
type File struct {
	// Name as the artifact gives it in the annotation org.opencontainers.image.title; often empty.
	Name string
	// MediaType, Digest and SizeBytes of the file as it is stored.
	MediaType, Digest string
	SizeBytes         int64
	// URL from which the registry serves it, by the same credentials as the image.
	URL string
	// Architecture for which an index names the artifact; empty outside of one.
	Architecture string
}

// Layer is one layer of an image as it is stored, which usually means compressed.
type Layer struct {
	Digest    string
	MediaType string
	SizeBytes int64
}

// Platform is an image that runs on one kind of machine, in the words of the OCI image index: linux, arm64, v8.
type Platform struct {
	Architecture, OS, Variant string
	// Digest of this platform's own manifest.
	Digest string
	// SizeBytes of its configuration and layers.
	SizeBytes int64
	// LayerCount is the number of its layers.
	LayerCount int
}

// appendPlatform prefers what the index says, because that is what clients choose by.
func appendPlatform(platforms []Platform, img *image, named *platform) []Platform {
	if named == nil {
		named = img.platform
	}
	if named == nil {
		return platforms
	}
	return append(platforms, Platform{
		Architecture: named.Architecture, OS: named.OS, Variant: named.Variant,
		Digest: img.digest.String(), SizeBytes: img.size, LayerCount: img.layers,
	})
}

// downloads adds the files of an artifact, with where to get them.
func (s *session) downloads(files []File, img *image, named *platform) []File {
	for _, file := range img.files {
		file.URL = s.scheme + "://" + s.registry() + s.path("blobs", file.Digest)
		if named != nil {
			file.Architecture = named.Architecture
		}
		files = append(files, file)
	}
	return files
}
