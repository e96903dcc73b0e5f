// Package signatures is a corpus: images with what may lie beside them in a registry, good signatures, bad ones and
// forgeries, and what is to be said of each. Whoever judges signatures is held against it, and cosign is asked, too.
//
// A case is a line in one of the tables: cases_bundle.go, cases_simple_signing.go, cases_image.go, cases_registry.go.
// Those of cases_policy.go are policies, and images that are signed.
package signatures
