package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// listPage measures a page of 20 of GET /v1/images over HTTP on loopback, against a static net/http handler that sends
// the same bytes with the same header fields: what remains is the price of answering from the catalog. Both servers
// are processes of their own with the same GOMAXPROCS, and both bear the same load in turns.
type listPage struct {
	name        string // beginning of the figures' names
	target      string
	entries     int
	connections int
	goal        float64 // of the rate, where there are several connections
	rounds      int
	round       time.Duration
	profile     string // file, or empty
	progress    *log.Logger
}

// listed are the answers that are measured, with the goal for the rate of each.
var listed = []struct {
	name, target string
	goal         float64
}{
	{"all", "/v1/images", 0.5},
	{"filtered", "/v1/images?architecture=arm64&distro=autosd", 0.5},
	{"text", "/v1/images?q=raspberry", 0.5},
	{"get", "/v1/namespaces/team-1/images/autosd-qemu-1", 0.6},
}

// listPages are the measurements of all combinations of catalog, page and number of connections.
func listPages(s settings) []measurement {
	var all []measurement
	for _, entries := range []int{1_000, 100_000} {
		for _, page := range listed {
			for _, connections := range loads {
				name := fmt.Sprintf("list/%s/entries=%d/connections=%d", page.name, entries, connections)
				l := &listPage{name: name, target: page.target, entries: entries, connections: connections, goal: page.goal, progress: s.progress}
				l.setPace(s)
				all = append(all, measurement{figures: []string{l.rateName(), l.p99Name()}, measure: l.measure})
			}
		}
	}
	return all
}

func (l *listPage) setPace(s settings) {
	l.rounds, l.round = 5, 1500*time.Millisecond
	if s.short {
		l.rounds, l.round = 3, 300*time.Millisecond
	}
	if s.profiles != "" {
		l.profile = filepath.Join(s.profiles, strings.ReplaceAll(l.name, "/", "-")+".pprof")
	}
}

func (l *listPage) rateName() string { return l.name + "/rate" }
func (l *listPage) p99Name() string  { return l.name + "/p99" }

func (l *listPage) measure(ctx context.Context) ([]figure, error) {
	figures, err := l.withServers(ctx, func(catalog, static *process) ([]figure, error) {
		return l.underLoad(ctx, catalog, static)
	})
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", l.name, err)
	}
	return figures, nil
}

// withServers runs both servers, which give the same answer, while something is done.
func (l *listPage) withServers(ctx context.Context, do func(catalog, static *process) ([]figure, error)) (_ []figure, err error) {
	catalog, err := startAlike(ctx, "-entries", strconv.Itoa(l.entries), "-profile", l.profile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, catalog.stop()) }()
	static, err := startAlike(ctx, "-copy", catalog.url(l.target))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, static.stop()) }()

	original, err := fetch(ctx, catalog.url(l.target))
	if err != nil {
		return nil, err
	}
	copied, err := fetch(ctx, static.url(l.target))
	if err != nil {
		return nil, err
	}
	if !original.equal(copied) {
		return nil, errors.New("the static handler sends something else than the query server")
	}
	l.progress.Printf("%s: %d bytes a page", l.name, len(original.body))
	return do(catalog, static)
}

func (l *listPage) underLoad(ctx context.Context, catalog, static *process) (_ []figure, err error) {
	onCatalog, err := newLoad(ctx, endpoint{address: catalog.address, target: l.target, credentials: credentials}, l.connections)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, onCatalog.close()) }()
	onStatic, err := newLoad(ctx, endpoint{address: static.address, target: l.target, credentials: credentials}, l.connections)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, onStatic.close()) }()

	ours, theirs, err := l.takeTurns(ctx, onCatalog, onStatic)
	if err != nil {
		return nil, err
	}
	rate := newFigure(l.rateName(), median(rates(ours)), median(rates(theirs)), "requests/s", higher, l.goal)
	p99 := newFigure(l.p99Name(), median(p99s(ours)), median(p99s(theirs)), "ms", lower, 2)
	switch l.connections {
	case 1: // nothing is promised to one who asks alone
		rate.Goal, p99.Goal = nil, nil
	case 1000: // what is promised to a thousand is a latency
		rate.Goal = nil
	}
	return []figure{rate, p99}, nil
}

// takeTurns gives the rounds of both. The first of each warms up and does not count.
func (l *listPage) takeTurns(ctx context.Context, a, b *load) (samplesA, samplesB []sample, err error) {
	for range 1 + l.rounds {
		sampleA, err := a.round(l.round)
		if err != nil {
			return nil, nil, err
		}
		sampleB, err := b.round(l.round)
		if err != nil {
			return nil, nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		samplesA, samplesB = append(samplesA, sampleA), append(samplesB, sampleB)
	}
	return samplesA[1:], samplesB[1:], nil
}

func rates(samples []sample) []float64 {
	return each(samples, func(s sample) float64 { return s.perSecond })
}

func p99s(samples []sample) []float64 {
	return each(samples, func(s sample) float64 { return float64(s.p99) / float64(time.Millisecond) })
}

func each(samples []sample, value func(sample) float64) []float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, value(s))
	}
	return values
}
