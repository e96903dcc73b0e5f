// Package registry asks container registries about images: what a reference means now (Head), all that a listing needs
// (Describe), and the bytes behind it (Blobs).
//
// Registries are strangers. Whatever they send is bounded before it is read, while it is decoded and in the whole of an
// image; it is hashed before it is believed, and decoded without a second chance: a manifest is what its digest says or
// it is nothing. Every failure carries a Reason, which tells apart an answer about the image (it is gone, it is broken)
// from the lack of one (the registry is down, or it wants other credentials); see Reason.Definite. Failures are sentences
// for the person who reads a status or a log, and name the host and what to do, never a credential.
//
// One call opens one session with one registry: a ping, and a token where the registry wants one. An image costs two
// requests more, its manifest and its configuration; an index of p platforms 1+2p.
package registry
