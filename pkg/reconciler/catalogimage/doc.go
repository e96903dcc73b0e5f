// Package catalogimage reconciles CatalogImages: it holds each entry against its registry and its claim, and writes
// what it found into the status. controller.go wires, catalogimage.go decides.
package catalogimage
