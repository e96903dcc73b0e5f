// Package query answers questions about the catalog over HTTP without asking the API server.
//
// An informer tells an [Index] of every change. The index turns each CatalogImage once into an entry: the keys that
// queries filter and order by, and its JSON. It keeps the entries in copy-on-write trees and publishes a snapshot
// after every change, so a request takes one pointer, never a lock, sees one moment of the catalog however long it
// runs, and costs a walk over keys and the copying of bytes that are already encoded.
//
// A request flows through three stages, each blind to the next: parameters.go turns the query string into a query
// value or a [Problem]; snapshot.go turns the query into entries; page.go and table.go write the entries. Each
// endpoint is a plain function of the index, in a file of its own.
package query
