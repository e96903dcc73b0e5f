// Package catalog names the API group of the image catalog.
package catalog

// GroupName is the API group of every kind in the catalog, and the prefix of its labels and annotations.
const GroupName = "imagecatalog.dev"
