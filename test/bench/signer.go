package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	content "github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

// signer signs as `cosign sign --key` does, which would take half a second an image.
type signer struct {
	signature.Signer
	public string // as PEM
}

func newSigner() (*signer, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	by, err := signature.LoadDefaultSigner(private)
	if err != nil {
		return nil, err
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	return &signer{by, string(public)}, err
}

// pushSignatures puts signatures of an image by several signers beside it, in the form of simple signing.
func pushSignatures(ctx context.Context, pusher *remote.Pusher, image name.Digest, by ...*signer) error {
	signatures, err := simpleSigning(image, by...)
	if err != nil {
		return err
	}
	return pusher.Push(ctx, image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1)+".sig"), signatures)
}

// simpleSigning is what lies under the tag for an image's signatures: each is a layer, which is what was signed.
func simpleSigning(image name.Digest, by ...*signer) (v1.Image, error) {
	message, err := payload.Cosign{Image: image}.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var layers []mutate.Addendum
	for _, s := range by {
		signed, err := s.SignMessage(bytes.NewReader(message))
		if err != nil {
			return nil, err
		}
		layers = append(layers, mutate.Addendum{
			Layer:       content.NewLayer(message, "application/vnd.dev.cosign.simplesigning.v1+json"),
			Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signed)},
		})
	}
	return mutate.Append(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), layers...)
}
