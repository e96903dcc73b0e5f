package index

import (
	"errors"
	"slices"
	"sort"
	"time"
)

// How much of the past is kept: a walk over the pages of a listing, or a watch that broke off, has this time to go on.
const (
	historyAge   = 5 * time.Minute
	historyBytes = 64 << 20 // of entries that are kept for it alone
	// forgottenBytes of entries may be kept besides, until those that are not forgotten move.
	forgottenBytes = 8 << 20
)

// The errors of asking for a version.
var (
	// ErrGone means that the version is older than what is kept, from before the index was filled, or of a time when the
	// API server was away.
	ErrGone = errors.New("this version of the catalog is not kept any more")
	// ErrAhead means that the index has not heard of the version yet.
	ErrAhead = errors.New("this version of the catalog has not arrived yet")
)

// Change is what happened to an entry. Several have the same version when it is only known that all had happened by then.
type Change struct {
	Version       uint64
	Before, After *Entry // nil where there was or is none

	spaces []string // the namespaces that held entries before it
	at     time.Time
}

// history is what happened lately, in order. A part of the changes that was given away never changes: later ones are
// appended behind it, and what is forgotten is left alone until the others move elsewhere.
type history struct {
	changes []Change
	floor   uint64 // the oldest version that can be gone back to
	seen    uint64 // the newest version that was heard of; nothing changed since the last change
	bytes   int
	gaps    []gap

	forgotten, forgottenBytes int // before the changes, in the same place
}

// gap is two versions between which it is not known what the catalog was.
type gap struct{ after, until uint64 }

func (h *history) add(c Change) {
	if c.Before != nil {
		h.bytes += c.Before.size()
	}
	h.changes = append(h.changes, c)
	h.seen = max(h.seen, c.Version)
	h.forget(c.at)
}

// forget drops what is too old or too much.
func (h *history) forget(now time.Time) {
	n := 0
	for ; n < len(h.changes) && (h.bytes > historyBytes || now.Sub(h.changes[n].at) > historyAge); n++ {
		if before := h.changes[n].Before; before != nil {
			h.bytes -= before.size()
			h.forgottenBytes += before.size()
		}
		h.floor = h.changes[n].Version
	}
	h.changes = h.changes[n:]
	h.forgotten += n
	if h.forgotten > len(h.changes) || h.forgottenBytes > forgottenBytes {
		h.changes, h.forgotten, h.forgottenBytes = slices.Clone(h.changes), 0, 0
	}
	h.gaps = slices.DeleteFunc(h.gaps, func(g gap) bool { return g.until <= h.floor })
}

// leap adds what is different at a version that was not reached change by change.
func (h *history) leap(version uint64, changes []Change) {
	h.gaps = append(h.gaps, gap{h.seen, version})
	for _, c := range changes {
		h.add(c)
	}
	h.seen = version
}

// restart forgets everything: what happened before a version is not known in full.
func (h *history) restart(version uint64) {
	*h = history{floor: version, seen: version}
}

// since gives the changes after a version, in order.
func (h *history) since(version uint64) ([]Change, error) {
	switch {
	case version < h.floor:
		return nil, ErrGone
	case version > h.seen:
		return nil, ErrAhead
	case slices.ContainsFunc(h.gaps, func(g gap) bool { return g.after < version && version < g.until }):
		return nil, ErrGone
	}
	first := sort.Search(len(h.changes), func(n int) bool { return h.changes[n].Version > version })
	return slices.Clip(h.changes[first:]), nil
}
