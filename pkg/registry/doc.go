// Package registry asks container registries about images: what a reference means now (Head), all that a listing needs
// (Describe), or so much of it as the manifests tell (Outline), what refers to an image (Referrers), a small artifact such
// as a signature as a whole (Artifact), and the bytes behind an image (Blobs).
//
// Registries are strangers. Whatever they send is bounded before it is read, while it is decoded and in the whole of an
// image; it is hashed before it is believed, and decoded without a second chance: a manifest is what its digest says or
// it is nothing. Every failure carries a Reason, which tells apart an answer about the image (it is gone, it is broken)
// from the lack of one (the registry is down, or it wants other credentials); see Reason.Definite. Failures are sentences
// for the person who reads a status or a log, and name the host, the credential and what to do, never a secret.
//
// Registries are others', too: none is asked more than it bears, and none that hangs holds up the rest. A look-up passes
//
//	flights    look-ups that are alike are one                              flight.go
//	gate       so many of one host at a time; the others wait or come again limit.go
//
// and each of its requests, from the outside in,
//
//	access     authentication; a token that is void is replaced once        access.go
//	keeper     credentials go to their own host                             keeper.go
//	retrying   a broken connection, or a moment's trouble                   reason.go
//	throttle   429 and Retry-After, by account                              throttle.go
//	guard      schemes and addresses that the settings allow                guard.go
//	paced      so many requests in a second                                 limit.go
//	breaker    after five failures in a row one request in 30 seconds       breaker.go
//	watch      an answer that comes in drips is given up                    watch.go
//
// What is kept back fails as the last request did, with Error.RetryAfter. Settings say what holds for which host; they are
// read from the ConfigMap config-registries, and may change at any time.
//
// An image costs three requests at first, a ping, its manifest and its configuration; an index of p platforms 2+2p. The
// ping, and a token where the registry wants one, are kept for the next look-up, and so is for ten minutes what was found
// by digest. A re-check is one request. An outline costs no configurations, and where nobody has to authenticate a program
// that asks at once needs no ping.
package registry
