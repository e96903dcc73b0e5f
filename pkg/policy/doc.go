// Package policy judges entries by CatalogPolicies. It is the one judge: the controller, the Task catalog-verify and tools ask
// it with the same evidence and get the same verdict.
//
// Read takes a CatalogPolicy as it is stored, and all that it names: patterns, public keys and expressions are parsed once.
// Keys in Secrets are not read from there, but from the policy's status, into which the controller writes them: public keys
// are no secret, and who judges needs no right to read Secrets. A Library keeps what was read of all policies.
//
// Judge holds an entry and what was found as its signatures against one policy. It asks nobody, so that a changed policy can
// be judged from evidence that was kept. The verdict has a check for everything that the policy asks for:
//
//	signature   one of the authorities signed the image, or each image of the index besides   judge.go
//	platform    it is built for a platform                                                     platform.go
//	metadata    a field is given                                                               metadata.go
//	validation  an expression in CEL is true of the entry                                      validation.go, entry.go
//
// What an expression may compute is bounded, and it has none of the functions that make long texts of short ones: it is
// evaluated over what publishers write. What of a policy cannot be read is never satisfied, whoever stored it.
//
// A policy is Satisfied when all of its checks are, Violated when one is, and otherwise Unknown: what it takes to decide could
// not be had. Unknown is no verdict on the image, and opens no gate.
package policy
