// Package v1alpha1 is the first version of the catalog's API.
//
// Its one kind is the CatalogImage: one entry is one published build. The spec is the user's statement and is
// never rewritten; everything learned from the registry is in the status.
//
// +k8s:deepcopy-gen=package
// +groupName=imagecatalog.dev
package v1alpha1
