package signature

import (
	"encoding/base64"
	"encoding/json"

	"github.com/sigstore/sigstore/pkg/signature/payload"

	"imagecatalog.dev/catalog/pkg/registry"
)

// What cosign's simple signing consists of (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md): a layer
// for each signature, the layer being what was signed, and the signature in an annotation.
const (
	simpleSigningMediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation    = "dev.cosignproject.cosign/signature"
	// maxPayloadBytes is the largest payload that is kept, of a bundle too. Without annotations of the signer's it has some 250
	// bytes, or 400 in a bundle.
	maxPayloadBytes = 64 << 10
)

// readSimpleSigning takes a layer of a signature tag for a signature of the image with the digest.
func readSimpleSigning(layer registry.ArtifactLayer, digest string) (Signature, error) {
	if layer.MediaType != simpleSigningMediaType {
		return Signature{}, refuse(NotASignature, "its media type %.80q is not that of simple signing", layer.MediaType)
	}
	if len(layer.Content) > maxPayloadBytes {
		return Signature{}, refuse(SignatureMalformed, "its payload has %d bytes, and %d is the most", len(layer.Content), maxPayloadBytes)
	}
	signed, err := base64.StdEncoding.DecodeString(layer.Annotations[signatureAnnotation])
	if err != nil || len(signed) == 0 {
		return Signature{}, refuse(SignatureMalformed, "its annotation %s holds no signature", signatureAnnotation)
	}
	identity, err := readPayload(layer.Content, digest)
	if err != nil {
		return Signature{}, err
	}
	return Signature{Form: SimpleSigning, Identity: identity, Message: layer.Content, Signed: signed}, nil
}

// readPayload demands that a payload is a signature of the image with the digest, and gives the name that the signer had
// for it, docker-reference.
//
// That name is told and not demanded. A digest names content, which is what was signed, and the same wherever it lies: a
// mirrored image keeps its signature, and a name that is not the mirror's. Bundles have no name at all, so that who demands
// one could be passed by with a bundle. Cosign does not look at it either. Who signs what is not to be used everywhere needs
// a key for each purpose.
func readPayload(content []byte, digest string) (identity string, err error) {
	var p payload.SimpleContainerImage
	if err := json.Unmarshal(content, &p); err != nil {
		return "", refuse(SignatureMalformed, "its payload cannot be read: %.200v", err)
	}
	if p.Critical.Type != payload.CosignSignatureType {
		return "", refuse(NotASignature, "its critical.type is %.80q and not %q", p.Critical.Type, payload.CosignSignatureType)
	}
	if p.Critical.Image.DockerManifestDigest != digest {
		return "", refuse(SubjectMismatch, "it is of another image, %.80q", p.Critical.Image.DockerManifestDigest)
	}
	if len(p.Critical.Identity.DockerReference) > registry.MaxNameBytes {
		return "", nil // no reference is as long
	}
	return p.Critical.Identity.DockerReference, nil
}
