package main

import (
	"fmt"
	"math"
)

// better says in which direction a figure improves.
type better string

const (
	higher better = "higher"
	lower  better = "lower"
)

// figure is one line of the bench's output.
type figure struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"` // the product's
	Unit     string   `json:"unit"`
	Baseline float64  `json:"baseline"` // the same of what it is compared with, measured in turns with it
	Ratio    float64  `json:"ratio"`    // value to baseline
	Better   better   `json:"better"`
	Goal     *float64 `json:"goal"` // the ratio to reach, or null
}

func newFigure(name string, value, baseline float64, unit string, direction better, goal float64) figure {
	return figure{
		Name:     name,
		Value:    significant(value),
		Unit:     unit,
		Baseline: significant(baseline),
		Ratio:    significant(value / baseline),
		Better:   direction,
		Goal:     &goal,
	}
}

// withoutGoal is a figure that less is better of, and that nothing was promised about.
func withoutGoal(name string, value, baseline float64, unit string) figure {
	f := newFigure(name, value, baseline, unit, lower, 0)
	f.Goal = nil
	return f
}

// String is the figure for people.
func (f figure) String() string {
	return fmt.Sprintf("%-47s %6g %s against %g: ratio %.3g%s", f.Name, f.Value, f.Unit, f.Baseline, f.Ratio, f.verdict())
}

func (f figure) verdict() string {
	switch {
	case f.Goal == nil:
		return ""
	case f.Better == higher && f.Ratio >= *f.Goal, f.Better == lower && f.Ratio <= *f.Goal:
		return fmt.Sprintf(", goal %g met", *f.Goal)
	default:
		return fmt.Sprintf(", goal %g MISSED", *f.Goal)
	}
}

// significant rounds to four digits: no measurement here is more exact.
func significant(value float64) float64 {
	if value == 0 || math.IsInf(value, 0) || math.IsNaN(value) {
		return value
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(value))))
	return math.Round(value*scale) / scale
}
