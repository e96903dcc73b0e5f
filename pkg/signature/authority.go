package signature

import "slices"

// Authority is somebody whose signature counts.
type Authority struct {
	// Name by which a verdict speaks of it.
	Name string
	// Keys of the authority: a signature with any of them is its signature.
	Keys []*Key
}

// signer is the key with which the authority made the signature; nil if it did not make it.
func (a Authority) signer(s Signature) *Key {
	for _, key := range a.Keys {
		if key.made(s.Signed, s.Message) {
			return key
		}
	}
	return nil
}

// Made says whether the authority made the signature.
func (a Authority) Made(s Signature) bool { return a.signer(s) != nil }

// Enough is for Collect: it says when there is, of each group of authorities, a signature of one of them. A group without
// authorities is no matter.
func Enough(groups ...[]Authority) func(Signature) bool {
	missing := slices.DeleteFunc(slices.Clone(groups), func(group []Authority) bool { return len(group) == 0 })
	return func(s Signature) bool {
		missing = slices.DeleteFunc(missing, func(group []Authority) bool {
			return slices.ContainsFunc(group, func(a Authority) bool { return a.Made(s) })
		})
		return len(missing) == 0
	}
}
