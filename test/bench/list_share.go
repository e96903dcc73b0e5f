package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// listShare measures what the parts of the query server's work take of its CPU time under the load of a page, in a catalog
// of 100,000 entries.
type listShare struct{ listPage }

func listShares(s settings) []measurement {
	var all []measurement
	for _, page := range listed {
		l := &listShare{listPage{name: "list/" + page.name, target: page.target, entries: 100_000, connections: 16, progress: s.progress}}
		l.setPace(s)
		all = append(all, measurement{figures: shareNames(l.name), measure: l.measure})
	}
	return all
}

func (l *listShare) measure(ctx context.Context) (_ []figure, err error) {
	dir, err := os.MkdirTemp("", "catalog-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if l.profile == "" {
		l.profile = filepath.Join(dir, "cpu.pprof")
	}
	if err := l.loaded(ctx); err != nil {
		return nil, fmt.Errorf("measuring the shares of %s: %w", l.name, err)
	}
	profile, err := os.ReadFile(l.profile)
	if err != nil {
		return nil, err
	}
	found, err := sharesIn(profile)
	if err != nil {
		return nil, fmt.Errorf("measuring the shares of %s: %w", l.name, err)
	}
	return found.figures(l.name), nil
}

// loaded is the life of a server under load, which leaves its profile.
func (l *listShare) loaded(ctx context.Context) (err error) {
	catalog, err := startAlike(ctx, "-entries", strconv.Itoa(l.entries), "-profile", l.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, catalog.stop()) }()
	under, err := newLoad(ctx, endpoint{address: catalog.address, target: l.target, credentials: credentials}, l.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, under.close()) }()
	if _, err := under.round(profileSeconds * time.Second); err != nil {
		return err
	}
	return ctx.Err()
}
