// Package verify judges whether an image is what a pipeline believes it to be. It is the flow behind the Task
// catalog-verify, a gate in front of a release.
//
// The checks run in order, and the first that does not hold ends them:
//
//	entry      an entry of the catalog names the image, and it is not recalled (with NAME only)
//	exists     the registry has the image, whole: its manifests, and its configurations where a check needs them
//	digest     the image is still the pinned one: its tag was not moved
//	platform   it runs on each platform that is asked for
//	signature  it is signed with the key that is given (on demand)
//	policy     it satisfies a policy of the catalog (on demand)
//	content    every blob has the bytes that its digest promises (on demand)
//
// Of the policy all checks are looked at and reported. Package policy judges, as it does for the controller; this package
// brings what the registry tells at this moment. It knows the labels of no namespace, so that a policy's namespaceSelector is
// not looked at; and whoever names a policy wants it to be applied, so that a policy that is not for the image is a no.
//
// A gate has three answers, not two. What the registry or the catalog says about the image decides: Verified or
// NotVerified. When neither can be asked (an outage, missing credentials), nothing is known about the image, the answer
// is Undecided, and the gate stays closed.
package verify
