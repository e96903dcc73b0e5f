package query

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"imagecatalog.dev/catalog/pkg/query/index"
)

const (
	// bookmarkInterval is how often a watch is told how far it has come when nothing that it is about happens.
	bookmarkInterval = 15 * time.Second
	// maxPending is how many bytes of events may wait to be sent, one event more than it holds apart.
	maxPending  = 16 << 10
	mediaNDJSON = "application/x-ndjson"
)

// The types of events, as in a watch of Kubernetes.
const (
	added    = "ADDED"    // the entry is there, or begins to match
	modified = "MODIFIED" // it matches as before and has changed
	deleted  = "DELETED"  // it is gone, or matches no more; the item is the last that matched
	bookmark = "BOOKMARK" // nothing; until resourceVersion everything was told
	failed   = "ERROR"    // the watch ends; the object is a problem
)

// watch answers GET ...?watch=true: what matches now, and then what happens to it, one event a line as JSON:
//
//	{"type":"ADDED","resourceVersion":"4711","object":{...}}
//
// With a resourceVersion it begins with what happened since. A watch that broke off goes on, at any replica, from the version of
// its last event that has one: an event that is one of several of the same version, which are told one after the other, has it
// only if it is the last of them.
func watch(w http.ResponseWriter, r *http.Request, v *view, p *parameters, stopping *stopping) error {
	if p.Latest || p.proceed != nil || p.Order != index.ByPublished || !p.Descending || p.Limit != defaultLimit {
		return badRequest("A watch has no pages and no order: leave latest, continue, limit and sort out.")
	}
	leave, err := v.who.gates.watches.enter(v.who.caller.Name(), 1)
	if err != nil {
		return err
	}
	defer leave()
	asked := p.Query
	if err := v.restrict(r.Context(), p); err != nil {
		return err
	}
	stream := &stream{writer: w, control: http.NewResponseController(w), patience: v.who.gates.patience, fields: p.fields}
	if r.Method == http.MethodHead {
		stream.open() // and end: there is nothing to wait for
		return nil
	}
	since, err := stream.begin(r.Context(), v, p)
	if err != nil {
		return err
	}
	stream.follow(r, v, &asked, since, stopping)
	return nil
}

// stream writes events. After the first error, which means that the client has left, it writes nothing more.
type stream struct {
	writer   http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	fields   []string
	pending  []byte
	err      error
}

// begin gives the version from which to follow, after it has sent what there is. Its errors are answers.
func (s *stream) begin(ctx context.Context, v *view, p *parameters) (uint64, error) {
	if p.since != "" {
		version, err := strconv.ParseUint(p.since, 10, 64)
		if err != nil {
			return 0, badParameter("resourceVersion", allowedVersion, "The parameter resourceVersion is "+quote(p.since)+"; allowed is "+allowedVersion+".")
		}
		if _, _, _, err := v.catalog.Since(version); err != nil {
			return 0, problemOfVersion(err)
		}
		s.open()
		return version, nil
	}
	snapshot, err := v.prepare(ctx, &p.Query)
	if err != nil {
		return 0, err
	}
	s.open()
	snapshot.Walk(&p.Query, func(e *index.Entry) bool {
		s.add(added, 0, choose(e.Item, s.fields))
		return s.err == nil
	})
	s.add(bookmark, snapshot.Version, nil)
	s.flush()
	return snapshot.Version, nil
}

func (s *stream) open() {
	header := s.writer.Header()
	header.Set("Content-Type", mediaNDJSON)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	s.writer.WriteHeader(http.StatusOK)
	s.flush()
}

// follow tells what happens until the client leaves, the server stops, or the watch can not go on.
func (s *stream) follow(r *http.Request, v *view, q *index.Query, since uint64, stopping *stopping) {
	tick := time.NewTicker(bookmarkInterval)
	defer tick.Stop()
	for s.err == nil {
		changes, last, more, err := v.catalog.Since(since)
		if err != nil {
			err = problemOfVersion(err)
		} else {
			err = v.renew(r.Context())
		}
		if err != nil {
			s.add(failed, since, index.Encode(problemOf(err)))
			s.flush()
			return
		}
		for n, change := range changes {
			version := change.Version
			if n+1 < len(changes) && changes[n+1].Version == version {
				version = 0
			}
			s.tell(v, q, change, version)
		}
		s.flush()
		since = last
		select {
		case <-r.Context().Done():
			return
		case <-stopping.ended:
			return // the client goes on at another replica
		case <-more:
		case <-tick.C:
			s.add(bookmark, since, nil)
		}
	}
}

func (s *stream) tell(v *view, q *index.Query, c index.Change, version uint64) {
	shows := func(e *index.Entry) bool { return e != nil && v.has(e.Namespace) && q.Matches(e) }
	was, is := shows(c.Before), shows(c.After)
	switch {
	case was && is:
		s.add(modified, version, choose(c.After.Item, s.fields))
	case is:
		s.add(added, version, choose(c.After.Item, s.fields))
	case was:
		s.add(deleted, version, choose(c.Before.Item, s.fields))
	}
}

// add leaves out a version that is 0. What comes in one go, such as all that a client missed, is sent in parts.
func (s *stream) add(kind string, version uint64, object []byte) {
	s.pending = append(append(append(s.pending, `{"type":"`...), kind...), '"')
	if version != 0 {
		s.pending = append(strconv.AppendUint(append(s.pending, `,"resourceVersion":"`...), version, 10), '"')
	}
	if object != nil {
		s.pending = append(append(s.pending, `,"object":`...), object...)
	}
	s.pending = append(s.pending, "}\n"...)
	if len(s.pending) >= maxPending {
		s.flush()
	}
}

// flush sends what was added.
func (s *stream) flush() {
	if s.err == nil {
		s.err = errors.Join(s.control.SetWriteDeadline(time.Now().Add(s.patience)), s.write())
	}
	s.pending = s.pending[:0]
}

func (s *stream) write() error {
	if len(s.pending) > 0 {
		if _, err := s.writer.Write(s.pending); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// problemOfVersion tells a client what to do about a version that the index cannot go on from.
func problemOfVersion(err error) *Problem {
	if errors.Is(err, index.ErrAhead) {
		return unavailable("The resourceVersion is from another replica, which knows newer changes. Try again in a moment.")
	}
	return newProblem(http.StatusGone, "The resourceVersion is too old: what happened since is not kept any more. List again, and watch from there.")
}
