// Package access answers who asks, and what they may do: exactly as the API server does, because it is the one that is
// asked. A token becomes a [Caller] by a TokenReview; what a caller may do is found by SubjectAccessReviews.
//
// Every answer is believed for TTL, counted from the moment it was asked for, and for no longer: nothing here is derived
// from an older answer without ending with it. So a right that is revoked is gone within TTL, and until then nobody who
// is known costs the API server a request. Whoever is not known waits for one answer, however many ask for it at the
// same time, and so many reviews at a time are sent and no more. An answer that does not come is neither yes nor no: it
// is an error other than [Unauthenticated], and is not kept.
//
// (The API server itself believes a token for 10 seconds: only then does it notice that its account is deleted.)
package access
