// Package publish enters a built image into the catalog. It is the flow behind the Task catalog-publish.
//
// Publishing is a statement that can be repeated: the same statement about the same build ends in the same entry,
// however often a TaskRun is retried and whoever else publishes at that moment. Three rules make it so.
//
//   - An entry made here is always pinned: its digest is the one given, or the one the tag had when it was looked up.
//   - The name of the entry follows from the image where none is given, so one build is one entry.
//   - What is stated (by a param, or by the image about itself) is compared with the entry that is there. Nothing to
//     change: "unchanged". Otherwise only what is stated is written; check interval, life cycle, pull secrets and
//     whatever else others wrote into the entry stays.
package publish
