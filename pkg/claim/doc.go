// Package claim decides which entry of a namespace is the one entry of its image.
//
// A list-then-create check cannot: two creates list at the same moment, neither sees the other, both are admitted.
// Here an entry takes a claim before it is stored. The claim is a Lease whose name is a hash of the namespace and
// the image's identity, so etcd's own key decides which of any number of simultaneous takers is first, with any
// number of webhook replicas and no lock between them. Every later change of a claim is a compare-and-swap on its
// resourceVersion.
//
// # The states of a claim
//
// A claim is pending from its taking, while the API server's write may be under way, until the controller adopts it
// for the entry that it has seen stored. The holder is the entry's name, not its UID: a retried create has a new UID
// and the same name, and the name is what etcd keeps apart anyway. What an entry of another name may do:
//
//	the holder exists and has this identity   nothing: it is refused, and told the holder's name
//	adopted, and the holder is gone           take it at once
//	pending for longer than Grace             take it: the write that it was for has ended, one way or the other
//	pending for less                          nothing yet: it is told when to try again
//
// Whether the holder exists is always read from the API server, never from a cache, and after the claim was read.
//
// # Why two entries of one identity are never stored
//
// An entry is only stored after its claim was taken, and within Grace of that. So for two to be stored, the second
// must have taken the claim while the write of the first could still come. A pending claim younger than Grace is
// given to nobody else, and an older one has no write to wait for. That leaves claims that are adopted: adopted must
// mean that no write is under way which this claim was taken for. Two rules see to it:
//
//   - Whoever takes a claim makes it pending again, the holder itself included. So an entry that is deleted and at
//     once created anew is protected by the claim of its second create.
//   - A claim is adopted for an entry that is stored under the very UID that took it, or when it is older than Grace.
//     Another create of the same name may be under way, doomed unless the stored entry is deleted: when a pending
//     claim is taken under a second UID it forgets both, and stays pending until Grace is over.
//
// An update that changes an entry's identity takes the new claim under the entry's UID. If the entry is seen with the
// new identity the update has ended; if it has not, the claim is left alone. The API server commits an update only
// on the version that was admitted.
//
// # Healing
//
// Nothing above depends on the controller, on garbage collection or on a claim being deleted: those only make claims
// free sooner. The controller releases the claims that no entry matches, takes back one that was deleted or forged by
// hand, and says in the condition Unique of an entry when another has the claim. A claim that is deleted by hand
// leaves a moment in which a second entry may be admitted; Unique tells.
package claim
