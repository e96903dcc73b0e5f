// Package query answers questions about the catalog over HTTP without asking the API server.
//
// A watch feeds an index (package index), which keeps every entry encoded and every version of the last minutes. A request
// takes a pointer to a snapshot, never a lock, sees one moment of the catalog however long it runs, and costs a walk over
// keys and the copying of bytes.
//
// A request flows through three stages, each blind to the next: parameters.go turns the query string into parameters or a
// [Problem]; the index turns its query into entries; page.go, table.go and watch.go write them. Each endpoint is a plain
// function of the index, in a file of its own.
package query
