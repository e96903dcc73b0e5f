package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"imagecatalog.dev/catalog/test/plane"
)

// series are metrics as Prometheus reads them.
type series []oneSeries

type oneSeries struct {
	name   string
	labels []string // each as key="value"
	value  float64
}

func scrape(ctx context.Context, p *plane.Process) (series, error) {
	a, err := fetch(ctx, "http://"+p.Metrics+"/metrics")
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of %s: %w", p.Name, err)
	}
	return parseSeries(string(a.body)), nil
}

var (
	seriesForm = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelForm  = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"`)
)

func parseSeries(text string) series {
	var all series
	for _, parts := range seriesForm.FindAllStringSubmatch(text, -1) {
		if value, err := strconv.ParseFloat(parts[3], 64); err == nil {
			all = append(all, oneSeries{parts[1], labelForm.FindAllString(parts[2], -1), value})
		}
	}
	return all
}

// sum of the series of a name that have all these labels, each given as key="value".
func (s series) sum(name string, labels ...string) float64 {
	var sum float64
	for _, one := range s {
		if one.name == name && !slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(one.labels, l) }) {
			sum += one.value
		}
	}
	return sum
}

// label gives a value, "" if there is none.
func (s oneSeries) label(key string) string {
	for _, label := range s.labels {
		if value, ok := strings.CutPrefix(label, key+`="`); ok {
			return strings.TrimSuffix(value, `"`)
		}
	}
	return ""
}
