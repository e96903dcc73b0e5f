package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListNamesTheFiguresThatMatch(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, bench(t.Context(), []string{"-list", "-run", "^list/all/entries=1000/.*/p99|publish"}, &out, io.Discard))
	assert.Equal(t, strings.Join([]string{
		"list/all/entries=1000/connections=1/p99",
		"list/all/entries=1000/connections=16/p99",
		"list/all/entries=1000/connections=64/p99",
		"list/all/entries=1000/connections=1000/p99",
		"publish/created",
		"publish/unchanged",
		"",
	}, "\n"), out.String())
}

func TestABadCommandLineIsRefused(t *testing.T) {
	for want, args := range map[string][]string{
		`no figure matches "speed"`: {"-run", "speed"},
		"reading -run":              {"-run", "("},
		`"list" is no flag`:         {"list"},
	} {
		assert.ErrorContains(t, bench(t.Context(), args, io.Discard, io.Discard), want)
	}
}

func TestAMeasurementThatFailsDoesNotStopTheOthers(t *testing.T) {
	broken := errors.New("no cluster")
	var out bytes.Buffer
	err := measureAll(t.Context(), []measurement{
		{measure: func(context.Context) ([]figure, error) { return nil, broken }},
		{measure: func(context.Context) ([]figure, error) {
			return []figure{newFigure("rate", 1, 2, "1/s", higher, 0.5), newFigure("p99", 1, 2, "s", lower, 1)}, nil
		}},
	}, regexp.MustCompile("rate"), &out, log.New(io.Discard, "", 0))
	assert.ErrorIs(t, err, broken)
	assert.Equal(t, `{"name":"rate","value":1,"unit":"1/s","baseline":2,"ratio":0.5,"better":"higher","goal":0.5}`+"\n", out.String())
}

func TestInterruptingEndsTheMeasuring(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	err := measureAll(ctx, []measurement{
		{measure: func(context.Context) ([]figure, error) { interrupt(); return nil, ctx.Err() }},
		{measure: func(context.Context) ([]figure, error) { assert.Fail(t, "measured on"); return nil, nil }},
	}, regexp.MustCompile(""), io.Discard, log.New(io.Discard, "", 0))
	assert.ErrorIs(t, err, context.Canceled)
}
