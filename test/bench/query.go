package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"imagecatalog.dev/catalog/test/plane"
)

const (
	// queryMemory is what an entry may take of the query server's memory, in bytes.
	queryMemory = 4 << 10
	// busyWriters are how many clients change entries at a time where that is measured.
	busyWriters = 50
)

// queryBench measures the query server as it is deployed, by HTTPS and with RBAC, on a catalog of so many entries in a
// real API server: how fast it is ready, what it keeps of an entry, and how fast it answers.
type queryBench struct {
	*plane.Plane
	pace     listPage // of the loads
	entries  int
	progress *log.Logger

	dir   string // of answers
	token string // of somebody who may see everything
}

func queryAtSize(s settings) measurement {
	q := &queryBench{entries: 100_000, progress: s.progress}
	if s.short {
		q.entries = 5_000
	}
	q.pace.setPace(settings{short: s.short})
	return measurement{figures: q.names(), measure: q.measure}
}

func (q *queryBench) names() []string {
	names := []string{"query/ready", "query/memory/entry", "query/busy/rate", "query/busy/p99"}
	for _, page := range listed {
		for _, connections := range loads {
			names = append(names, rateOf(page.name, connections), p99Of(page.name, connections))
		}
		if apiPaths[page.name] != "" {
			names = append(names, "query/"+page.name+"/api-server")
		}
		names = append(names, shareNames("query/"+page.name)...)
	}
	return names
}

func (q *queryBench) measure(ctx context.Context) (_ []figure, err error) {
	if q.dir, err = os.MkdirTemp("", "catalog-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(q.dir)) }()
	figures, err := q.onPlane(ctx)
	if err != nil {
		return nil, fmt.Errorf("measuring the query server: %w", err)
	}
	return figures, nil
}

func (q *queryBench) onPlane(ctx context.Context) (figures []figure, err error) {
	kubeconfig, err := controlPlaneKubeconfig()
	if err != nil {
		return nil, err
	}
	if q.Plane, err = plane.Start(ctx, kubeconfig, 1); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.Close(false)) }()
	if err := switchProfilesOn(ctx, q.Plane); err != nil {
		return nil, err
	}
	if err := q.welcomeReader(ctx); err != nil {
		return nil, err
	}
	empty, err := q.heapOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := q.Query.Stop(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.clean(ctx)) }()
	if err := q.fill(ctx); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context) ([]figure, error){
		q.ready,
		func(ctx context.Context) ([]figure, error) { return q.memory(ctx, empty) },
		q.answers,
		q.shares,
		q.busy,
	} {
		more, err := part(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// ready measures from the start of the server to its first answer, against one list by a client that only counts bytes.
func (q *queryBench) ready(ctx context.Context) ([]figure, error) {
	began := time.Now()
	if err := q.listAll(ctx); err != nil {
		return nil, err
	}
	list := time.Since(began)
	began = time.Now()
	if err := q.Query.Start(ctx); err != nil {
		return nil, err
	}
	if err := q.Query.AwaitReady(ctx); err != nil {
		return nil, err
	}
	return []figure{withoutGoal("query/ready", time.Since(began).Seconds(), list.Seconds(), "s")}, nil
}

// memory is the heap after a collection, without what an empty catalog takes.
func (q *queryBench) memory(ctx context.Context, empty float64) ([]figure, error) {
	full, err := q.heapOf(ctx)
	if err != nil {
		return nil, err
	}
	return []figure{newFigure("query/memory/entry", (full-empty)/float64(q.entries), queryMemory, "B", lower, 1)}, nil
}

func (q *queryBench) heapOf(ctx context.Context) (float64, error) {
	if !q.Query.Running() {
		if err := q.Query.Start(ctx); err != nil {
			return 0, err
		}
		if err := q.Query.AwaitReady(ctx); err != nil {
			return 0, err
		}
	}
	profile, err := fetchProfile(ctx, q.Query, "heap?debug=1&gc=1")
	if err != nil {
		return 0, err
	}
	return heapIn(string(profile.body))
}

// answerFile is where the answer of a page is kept for the static handler.
func (q *queryBench) answerFile(page string) string { return filepath.Join(q.dir, page+".json") }
