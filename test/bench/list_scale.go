package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// listScale measures what a page costs in a catalog of 100,000 entries, against the same page of one of 1,000.
type listScale struct{ listPage }

func listScales(s settings) []measurement {
	var all []measurement
	for _, page := range listed {
		l := &listScale{listPage{name: "list/" + page.name + "/scale", target: page.target, connections: 16, progress: s.progress}}
		l.setPace(settings{short: s.short})
		all = append(all, measurement{figures: []string{l.name}, measure: l.measure})
	}
	return all
}

func (l *listScale) measure(ctx context.Context) (_ []figure, err error) {
	var loads []*load
	for _, entries := range []int{100_000, 1_000} {
		catalog, err := startAlike(ctx, "-entries", strconv.Itoa(entries))
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", l.name, err)
		}
		defer func() { err = errors.Join(err, catalog.stop()) }()
		under, err := newLoad(ctx, endpoint{address: catalog.address, target: l.target, credentials: credentials}, l.connections)
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", l.name, err)
		}
		defer func() { err = errors.Join(err, under.close()) }()
		loads = append(loads, under)
	}
	large, small, err := l.takeTurns(ctx, loads[0], loads[1])
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", l.name, err)
	}
	return []figure{newFigure(l.name, median(rates(large)), median(rates(small)), "requests/s", higher, 0.8)}, nil
}
