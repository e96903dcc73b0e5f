// Package assemble builds container images from ready-made root file systems.
//
// It is the build step of the demonstration pipeline: small, but a real builder. Its input is an OCI artifact whose
// layers are gzip-compressed tar archives, one root file system for each platform (PushRootFS makes one). Its output
// is an OCI image index with one image for each platform. An image is two layers: the root file system as it is in
// the registry, mounted into the new repository rather than moved where the registry can do that, and a small one
// with /etc/image-id, which says what was built, when and from what.
//
// A root file system is never held in memory or on disk: it is read once as a stream, to learn the digest of its
// uncompressed content (the DiffID of the OCI image configuration), and a second time only if it cannot be mounted.
package assemble
