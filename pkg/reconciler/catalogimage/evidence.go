package catalogimage

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/signature"
)

const (
	// mostEvidenceBytes is what the evidence of all entries may take in memory. That of an image with one signature takes about
	// 2 KB.
	mostEvidenceBytes = 64 << 20
	// mostEntryBytes is what that of one entry may: who hangs a flood of signatures on an image shall not drive out the others'.
	mostEntryBytes = 256 << 10
)

// evidence is what was found as signatures of an entry's image, and of the images in it.
type evidence struct {
	repository string
	byDigest   map[string]*signature.Evidence
	at         time.Time // when the registry was asked
}

// of gives what was found of an image; nil if nobody has looked.
func (e *evidence) of(digest string) *signature.Evidence {
	if e == nil {
		return nil
	}
	return e.byDigest[digest]
}

// lacks says whether there may be signatures of an image that nobody has read.
func (e *evidence) lacks(digest string) bool {
	known := e.of(digest)
	return known == nil || known.Partial
}

// bytes are counted of one without any signature, too: there may be many of those.
func (e *evidence) bytes() int {
	const overhead = 512 // of what it is kept in
	bytes := overhead
	for _, each := range e.byDigest {
		bytes += each.Bytes()
	}
	return bytes
}

// evidences keep the evidence of entries in memory, so that changed policies are judged without asking a registry. What was
// used longest ago goes first. After a restart there is none: verdicts in statuses stand as long as nothing changed that they
// are about, and what has to be judged anew is collected again.
//
// It is kept by entry, and not by image: what one may read in a registry tells nothing to another.
type evidences struct {
	mutex sync.Mutex
	kept  *simplelru.LRU[types.NamespacedName, *evidence]
	bytes int
}

func newEvidences() *evidences {
	const noLimit = 1 << 30 // of the number: the bytes are limited
	e := &evidences{}
	e.kept, _ = simplelru.NewLRU(noLimit, e.gone) // it fails for sizes below one
	return e
}

func (e *evidences) gone(_ types.NamespacedName, evidence *evidence) { e.bytes -= evidence.bytes() }

// of gives the evidence of an entry in a repository; nil if there is none.
func (e *evidences) of(entry types.NamespacedName, repository string) *evidence {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	known, ok := e.kept.Get(entry)
	if !ok || known.repository != repository {
		return nil
	}
	return known
}

func (e *evidences) keep(entry types.NamespacedName, found *evidence) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.kept.Remove(entry)
	e.kept.Add(entry, found)
	for e.bytes += found.bytes(); e.bytes > mostEvidenceBytes && e.kept.Len() > 1; {
		e.kept.RemoveOldest()
	}
}

// trim drops the evidence of an entry that has too much of it, when it was judged. When it was collected is kept.
func (e *evidences) trim(entry types.NamespacedName) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if known, ok := e.kept.Peek(entry); ok && known.bytes() > mostEntryBytes {
		e.kept.Remove(entry)
		e.kept.Add(entry, &evidence{repository: known.repository, at: known.at})
	}
}

// purge forgets all, when other replicas may have judged since: what is kept is older than what they said.
func (e *evidences) purge() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.kept.Purge()
}

func (e *evidences) forget(entry types.NamespacedName) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.kept.Remove(entry)
}
