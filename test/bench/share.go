package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// profileSeconds are enough for shares that are right to about two hundredths: a profile looks at a busy processor 100 times a second.
const profileSeconds = 5

// The parts of the query server's work.
const (
	partIndex         = "index"         // finding what matches
	partEncoding      = "encoding"      // putting an answer together: JSON, pages, entity tags, compression
	partAuthorization = "authorization" // who asks, and what they may see
	partRequest       = "request"       // what else the query server does: parameters, gates, metrics
	partHTTP          = "http"          // net/http, TLS, system calls, and what they call
	partRuntime       = "runtime"       // collecting garbage and scheduling, which is done for all of them
)

func workParts() []string {
	return []string{partIndex, partEncoding, partAuthorization, partRequest, partHTTP, partRuntime}
}

const querySource = "imagecatalog.dev/catalog/pkg/query"

// works say which part a function plays, by how its full name begins. The first that fits counts.
var works = []struct{ part, prefix string }{
	{partEncoding, querySource + "/index.Encode"},
	{partEncoding, querySource + "/index.appendJoined"},
	{partIndex, querySource + "/index."},
	{partIndex, "github.com/tidwall/btree."},
	{partIndex, "github.com/RoaringBitmap/roaring/"},
	{partAuthorization, "imagecatalog.dev/catalog/pkg/access."},
	{partAuthorization, querySource + ".(*visitor)."},
	{partAuthorization, querySource + ".(*view)."},
	{partEncoding, querySource + ".choose"},
	{partEncoding, querySource + ".compress"},
	{partEncoding, querySource + ".encodePage"},
	{partEncoding, querySource + ".tagOf"},
	{partEncoding, querySource + ".token.String"},
	{partEncoding, "encoding/"},
	{partEncoding, "compress/"},
	{partEncoding, querySource + ".shortened"},
	{partRequest, querySource + "."},
	{partHTTP, "net/http."},
	{partHTTP, "net."},
	{partHTTP, "crypto/tls."},
}

// shares are what each part of the work took of the CPU time. Their sum is 1.
type shares map[string]float64

// sharesIn attributes each sample of a CPU profile to the innermost function that plays a part: what that calls, such as
// an allocation or a hash, is done for it. Where nothing plays a part the runtime works for itself.
func sharesIn(encoded []byte) (shares, error) {
	cpu, err := profile.Parse(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("reading a profile: %w", err)
	}
	value := slices.IndexFunc(cpu.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" })
	if value < 0 {
		return nil, errors.New("reading a profile: it is none of CPU time")
	}
	took, all := map[string]int64{}, int64(0)
	for _, s := range cpu.Sample {
		took[partOf(s)] += s.Value[value]
		all += s.Value[value]
	}
	if all == 0 {
		return nil, errors.New("reading a profile: nothing was done meanwhile")
	}
	of := shares{}
	for part, nanoseconds := range took {
		of[part] = float64(nanoseconds) / float64(all)
	}
	return of, nil
}

func partOf(s *profile.Sample) string {
	for _, location := range s.Location {
		for _, line := range location.Line { // those that were inlined come first
			for _, work := range works {
				if strings.HasPrefix(line.Function.Name, work.prefix) {
					return work.part
				}
			}
		}
	}
	return partRuntime
}

// figures of a page. What net/http takes is what nobody can do without.
func (s shares) figures(page string) []figure {
	all := make([]figure, 0, len(workParts()))
	for _, part := range workParts() {
		f := withoutGoal(shareOf(page, part), s[part], 1, "of the CPU time")
		if part == partHTTP {
			f.Better = higher
		}
		all = append(all, f)
	}
	return all
}

func shareOf(page, part string) string { return page + "/share/" + part }

func shareNames(page string) []string {
	var names []string
	for _, part := range workParts() {
		names = append(names, shareOf(page, part))
	}
	return names
}
