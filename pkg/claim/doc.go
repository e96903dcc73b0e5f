// Package claim decides which entry of a namespace is the one entry of its image.
//
// A list-then-create check cannot: two creates list at the same moment, neither sees the other, both are admitted.
// Here an entry takes a claim before it is stored. The claim is a Lease whose name is a hash of the namespace and
// the image's identity, so etcd's own key decides which of any number of simultaneous takers is first, with any
// number of webhook replicas and no lock between them. Every later change of a claim is a compare-and-swap on its
// resourceVersion.
//
// The holder is the entry's name, not its UID: a retried create has a new UID and the same name, and the name is
// what etcd keeps apart anyway. A claim that was taken is either adopted, when the controller has seen its entry
// stored, or pending, while the API server's write may still be under way. What another entry may do:
//
//	the holder exists and has this identity   nothing: it is refused, and told the holder's name
//	adopted, and the holder is gone           take it at once
//	pending for longer than Grace             take it: the write that it was for has ended, one way or the other
//	pending for less                          nothing yet: it is told when to try again
//
// Whether the holder exists is always read from the API server, never from a cache.
package claim
