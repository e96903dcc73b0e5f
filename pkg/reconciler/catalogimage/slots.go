package catalogimage

import (
	"hash/fnv"
	"time"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// slotAfter is when the next regular check of an entry is due that was checked at a time. Each entry has a moment in
// every interval, by a hash of its name: entries that were published together, or checked together after an outage or a
// restart, drift apart with the next check, and stay apart. Checks follow each other by half an interval at least and one
// and a half at most.
func slotAfter(entry *v1alpha1.CatalogImage, checked time.Time) time.Time {
	interval := entry.Spec.Interval()
	earliest := checked.Add(interval / 2)
	slot := earliest.Truncate(interval).Add(offset(entry, interval))
	if slot.Before(earliest) {
		slot = slot.Add(interval)
	}
	return slot
}

// offset is the entry's moment in an interval.
func offset(entry *v1alpha1.CatalogImage, interval time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(entry.Namespace + "/" + entry.Name)) // a hash takes everything
	return time.Duration(hash.Sum64()>>1) % interval
}
