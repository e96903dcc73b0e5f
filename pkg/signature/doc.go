// Package signature tells whether an image is signed, by whom, and why not.
//
// It works in two steps. Collect asks a registry for what it holds as signatures of one image: the evidence. Judge holds
// evidence against authorities, which are public keys, and asks nobody: evidence can be kept, and judged again when keys
// change. Verify is both.
//
// An image is signed by a statement about its digest, in one of the two forms that cosign writes:
//
//	simple signing  a JSON document under the tag sha256-<hex>.sig of the same repository      simple_signing.go
//	bundle          an in-toto statement in a DSSE envelope in a Sigstore bundle, an artifact
//	                that refers to the image (OCI 1.1)                                         bundle.go
//
// Nothing else is a signature: whoever attests how an image was built, or what is in it, has not said that it may be used.
// What a statement is, and which image it is about, is read from what was signed and from nowhere else; where it was found,
// and how the registry describes it, decides nothing. The signature of an index covers the images in it by their digests.
//
// Both forms are proven by the key alone. A transparency log or a certificate, which a bundle may have besides, are not
// looked at: whoever trusts a key that is kept has no need of them.
//
// A verdict is one of three. Verified takes one good signature, whatever else is there. NotVerified takes having read all
// there is: what could not be read, because the registry gave no answer or there is more than is accepted, makes the
// verdict Unknown, since a good signature may be in it. So neither an outage nor a flood of junk makes an image lose its
// standing, and neither gives it one.
package signature
