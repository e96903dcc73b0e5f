package index

import (
	"cmp"
	"strings"
)

// member is an entry as one of those of its series, channel and target in its namespace. One for several targets is a
// member for each.
type member struct {
	*Entry
	series, channel, target string
}

// before puts the newest of a series first.
func (m member) before(other member) bool {
	return cmp.Or(m.compareSeries(other), cmp.Compare(other.Published, m.Published), strings.Compare(m.Name, other.Name)) < 0
}

func (m member) compareSeries(other member) int {
	return cmp.Or(
		strings.Compare(m.Namespace, other.Namespace), strings.Compare(m.series, other.series),
		strings.Compare(m.channel, other.channel), strings.Compare(m.target, other.target))
}

// memberships are those of an entry that may be the latest.
func (e *Entry) memberships() []member {
	if e == nil || !e.usable {
		return nil
	}
	targets := e.Values(Target)
	if len(targets) == 0 {
		targets = []string{""}
	}
	members := make([]member, 0, len(targets))
	for _, target := range targets {
		members = append(members, member{e, e.Value(Series), e.Value(Channel), target})
	}
	return members
}

// newest is the first of a series, or nil.
func (s *Snapshot) newest(of member) *Entry {
	var newest *Entry
	of.Entry = &Entry{Namespace: of.Namespace, Published: 1<<63 - 1}
	s.series.Ascend(of, func(m member) bool {
		if m.compareSeries(of) == 0 {
			newest = m.Entry
		}
		return false
	})
	return newest
}

// updateLatest judges again who is the latest of each series that an entry came to or left.
func (e *edit) updateLatest(before, after *Entry) {
	touched := append(before.memberships(), after.memberships()...)
	was := make([]*Entry, len(touched))
	for n, m := range touched {
		was[n] = e.newest(m)
	}
	for _, m := range before.memberships() {
		e.series.Delete(m)
	}
	for _, m := range after.memberships() {
		e.series.Set(m)
	}
	for n, m := range touched {
		e.markLatest(was[n])
		e.markLatest(e.newest(m))
	}
	if before != nil && after == nil || len(touched) > 0 {
		e.markLatest(either(after, before))
	}
}

// markLatest says of an entry whether it is the latest of one of its series.
func (e *edit) markLatest(entry *Entry) {
	if entry == nil {
		return
	}
	is := false
	if e.entries.at(entry.id) == entry {
		for _, m := range entry.memberships() {
			is = is || e.newest(m) == entry
		}
	} else if e.entries.at(entry.id) != nil {
		return // another has its place, which is judged by itself
	}
	if is == e.latest.Contains(entry.id) {
		return
	}
	e.latest = e.own(e.latest, false)
	if is {
		e.latest.Add(entry.id)
	} else {
		e.latest.Remove(entry.id)
	}
}
