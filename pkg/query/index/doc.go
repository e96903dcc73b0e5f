// Package index keeps the catalog in memory, ready to be listed in any order, by any filter, as it is or as it was.
//
// A watch tells an [Index] of every change. Each CatalogImage is turned into an [Entry] once: what queries look at, and
// its JSON. A [Snapshot] is the catalog at one version: trees of the entries in each [Order], for each [Facet] the set of
// those that have it, and sets for the texts and selectors that were asked for lately (see [Predicate]). Trees and sets
// are copied on write, so a change costs O(log n), a snapshot never changes, and whoever reads one takes no lock.
//
// A version is the resource version of the change that led to it. Resource versions are numbers that grow with every
// write to the cluster (KEP-5504), and every replica hears of the same changes in the same order, so one version is the
// same catalog in all of them. What is read as a list has the version of the last change in it, if the API server still
// knows that. The last minutes of changes are kept: by undoing them a snapshot of an earlier version is made, and by
// telling them a watch goes on from one.
package index
