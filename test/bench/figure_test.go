package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFigureIsALineOfJSON(t *testing.T) {
	line, err := json.Marshal(newFigure("list/rate", 12345.6, 20000, "requests/s", higher, 0.5))
	require.NoError(t, err)
	assert.Equal(t, `{"name":"list/rate","value":12350,"unit":"requests/s","baseline":20000,"ratio":0.6173,"better":"higher","goal":0.5}`, string(line))

	line, err = json.Marshal(figure{Name: "size", Value: 1, Unit: "B", Baseline: 2, Ratio: 0.5, Better: lower})
	require.NoError(t, err)
	assert.Equal(t, `{"name":"size","value":1,"unit":"B","baseline":2,"ratio":0.5,"better":"lower","goal":null}`, string(line))
}

func TestAFigureSaysWhetherItsGoalIsMet(t *testing.T) {
	for _, c := range []struct {
		ratio  float64
		better better
		met    bool
	}{
		{0.5, higher, true}, {0.7, higher, true}, {0.49, higher, false},
		{0.5, lower, true}, {0.49, lower, true}, {0.51, lower, false},
	} {
		verdict := newFigure("x", c.ratio, 1, "s", c.better, 0.5).String()
		if c.met {
			assert.Contains(t, verdict, "goal 0.5 met", "%+v", c)
		} else {
			assert.Contains(t, verdict, "goal 0.5 MISSED", "%+v", c)
		}
	}
	assert.NotContains(t, figure{}.String(), "goal")
}

func TestSignificantKeepsFourDigits(t *testing.T) {
	for value, rounded := range map[float64]float64{0: 0, 1: 1, 123456: 123500, 1.23456: 1.235, 0.000123456: 0.0001235, -98.7654: -98.77} {
		assert.InDelta(t, rounded, significant(value), 1e-12, "%g", value)
	}
}

func linesOf(figures []figure) (lines []string) {
	for _, f := range figures {
		lines = append(lines, f.String())
	}
	return lines
}

func namesOf(figures []figure) (names []string) {
	for _, f := range figures {
		names = append(names, f.Name)
	}
	return names
}
