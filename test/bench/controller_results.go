package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// controllerResults is what all the figures of the controller are made of. Memory is in bytes.
type controllerResults struct {
	entries float64

	first stretch // first checks
	// What checks are compared with: images read, images asked for, statuses written, and entries for which the API server was
	// asked the same as for a first check, in a second.
	pulled, asked, written, called float64
	writing                        stretch // the statuses
	calling                        stretch // the API server, for the same
	peak                           float64 // of memory, at the first checks

	restart stretch
	listing time.Duration // reading the entries once

	rechecks stretch

	emptyHeap, heap float64
	stored          float64 // JSON of all entries
}

// names are those of the figures.
func (r *controllerResults) names() []string {
	var names []string
	for _, f := range r.figures() {
		names = append(names, f.Name)
	}
	return names
}

func (r *controllerResults) figures() []figure {
	const kB, mib = 1000, 1 << 20
	rate := r.entries / r.first.took.Seconds()
	again := r.rechecks.checks
	againRate := newFigure("controller/re-checks/rate", again/r.rechecks.took.Seconds(), math.Min(r.asked, r.written), "checks/s", higher, 0)
	againRate.Goal = nil
	return []figure{
		newFigure("controller/first-checks/rate", rate, math.Min(r.pulled, r.written), "checks/s", higher, 0.8),
		newFigure("controller/first-checks/calls", rate, r.called, "checks/s", higher, 0.8),
		newFigure("controller/first-checks/requests", r.first.requests/r.entries, r.perEntry(3), "requests", lower, 1),
		newFigure("controller/first-checks/status-writes", r.first.statusWrites()/r.entries, 1, "writes", lower, 1),
		withoutGoal("controller/first-checks/cpu", r.first.cpu.sum()/r.entries, r.writing.cpu.sum()/r.entries, "ms"),
		againRate,
		newFigure("controller/re-checks/requests", r.rechecks.requests/again, r.perEntry(1), "requests", lower, 1),
		newFigure("controller/re-checks/status-writes", r.rechecks.statusWrites()/again, 1, "writes", lower, 1),
		withoutGoal("controller/re-checks/cpu", r.rechecks.cpu.sum()/again, r.writing.cpu.sum()/r.entries, "ms"),
		withoutGoal("controller/restart/time", r.restart.took.Seconds(), r.listing.Seconds(), "s"),
		newFigure("controller/restart/requests", r.restart.requests, r.entries, "requests", lower, 0),
		newFigure("controller/restart/status-writes", r.restart.statusWrites(), r.entries, "writes", lower, 0),
		withoutGoal("controller/memory/entry", (r.heap-r.emptyHeap)/r.entries/kB, r.stored/r.entries/kB, "KB"),
		newFigure("controller/memory/peak", r.peak/mib, controllerMemory, "MiB", lower, 1),
	}
}

// perEntry is so many requests, with the ping of the registry that a controller begins with.
func (r *controllerResults) perEntry(requests float64) float64 {
	return (r.entries*requests + 1) / r.entries
}

// details are what people want to know beside the figures: who used the CPU, and what the API server was asked.
func (r *controllerResults) details(parts []part) string {
	rows := []cpuRow{
		{"writing a status", r.writing.cpu.since(make(cpuTime, len(parts)), int(r.entries))},
		{"the same calls", r.calling.cpu.since(make(cpuTime, len(parts)), int(r.entries))},
		{"first check", r.first.cpu.since(make(cpuTime, len(parts)), int(r.entries))},
		{"regular check", r.rechecks.cpu.since(make(cpuTime, len(parts)), int(r.rechecks.checks))},
	}
	return fmt.Sprintf("controller: in a second %.0f images read, %.0f asked for, %.0f statuses written, the same calls made for %.0f; heap %.1f MB, without entries %.1f MB\n"+
		"calls of the API server for a first check: %s\nfor a regular check: %s\nfor the restart, of %.2f s of CPU: %s\nmilliseconds of CPU\n%s",
		r.pulled, r.asked, r.written, r.called, r.heap/1e6, r.emptyHeap/1e6,
		perCheck(r.first.calls, r.entries), perCheck(r.rechecks.calls, r.rechecks.checks),
		r.restart.cpu.sum()/1000, perCheck(r.restart.calls, 1), cpuTable(parts, rows))
}

// perCheck leaves out what hardly ever happens.
func perCheck(calls map[string]float64, checks float64) string {
	var said []string
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		if each := calls[call] / checks; each >= 0.005 {
			said = append(said, fmt.Sprintf("%s %.2f", call, each))
		}
	}
	return strings.Join(said, ", ")
}
