package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// profiled encodes a CPU profile of stacks, each from its innermost function outward, that took so many milliseconds.
func profiled(t *testing.T, kind string, stacks map[int64][]string) []byte {
	t.Helper()
	cpu := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: kind, Unit: "nanoseconds"}}}
	for milliseconds, stack := range stacks {
		sample := &profile.Sample{Value: []int64{1, milliseconds * 1e6}}
		for _, name := range stack {
			function := &profile.Function{ID: uint64(len(cpu.Function) + 1), Name: name}
			location := &profile.Location{ID: function.ID, Line: []profile.Line{{Function: function}}}
			cpu.Function, cpu.Location = append(cpu.Function, function), append(cpu.Location, location)
			sample.Location = append(sample.Location, location)
		}
		cpu.Sample = append(cpu.Sample, sample)
	}
	var encoded bytes.Buffer
	require.NoError(t, cpu.Write(&encoded))
	return encoded.Bytes()
}

func TestTimeIsAttributedToTheInnermostThatPlaysAPart(t *testing.T) {
	serving := []string{"net/http.(*conn).serve", "runtime.goexit"}
	handling := slices.Concat([]string{querySource + ".list.func1", querySource + ".authenticated.func1", querySource + ".complete.func1"}, serving)
	for name, test := range map[string]struct {
		stack []string // inside of the handler
		part  string
	}{
		"a search":                            {[]string{querySource + "/index.(*Snapshot).Page"}, partIndex},
		"a tree for a search":                 {[]string{"github.com/tidwall/btree.(*BTreeG[go.shape.*uint8]).Scan", querySource + "/index.(*Snapshot).each"}, partIndex},
		"a set for a search":                  {[]string{"github.com/RoaringBitmap/roaring/v2.(*Bitmap).Contains"}, partIndex},
		"memory for a search":                 {[]string{"runtime.mallocgc", querySource + "/index.(*Snapshot).walk"}, partIndex},
		"a page":                              {[]string{"runtime.memmove", querySource + ".encodePage", querySource + ".answerPage"}, partEncoding},
		"a single entry":                      {[]string{"runtime.memmove", querySource + "/index.appendJoined", querySource + "/index.(*Entry).AppendJSON", querySource + ".get.func1"}, partEncoding},
		"an entity tag":                       {[]string{"hash/fnv.(*sum64a).Write", querySource + ".tagOf"}, partEncoding},
		"JSON":                                {[]string{"encoding/json.Marshal", querySource + ".resolve.func1"}, partEncoding},
		"gzip":                                {[]string{"compress/flate.(*compressor).write", "compress/gzip.(*Writer).Write", querySource + ".compress"}, partEncoding},
		"a token of a walk":                   {[]string{querySource + ".token.String"}, partEncoding},
		"who asks":                            {[]string{"crypto/sha256.Sum256", "imagecatalog.dev/catalog/pkg/access.(*Reviewer).Authenticate", querySource + ".(*visitor).identify"}, partAuthorization},
		"what they see":                       {[]string{querySource + ".(*view).judge"}, partAuthorization},
		"parameters":                          {[]string{"net/url.ParseQuery", querySource + ".parseListing"}, partRequest},
		"the handler itself":                  {nil, partRequest},
		"writing":                             {[]string{"internal/runtime/syscall.Syscall6", "syscall.write", "internal/poll.(*FD).Write", "net.(*conn).Write", "net/http.(*response).Write", querySource + ".write"}, partHTTP},
		"a header":                            {[]string{"net/textproto.MIMEHeader.Set", "net/http.Header.Set", querySource + ".write"}, partHTTP},
		"something of a package named alike":  {[]string{querySource + "er.Page"}, partRequest},
		"something of a function named alike": {[]string{"github.com/tidwall/btreeless.Scan"}, partRequest},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := sharesIn(profiled(t, "cpu", map[int64][]string{10: slices.Concat(test.stack, handling)}))
			require.NoError(t, err)
			assert.Equal(t, shares{test.part: 1}, found)
		})
	}
}

func TestTimeOutsideOfTheHandler(t *testing.T) {
	for name, test := range map[string]struct {
		stack []string
		part  string
	}{
		"reading a request": {[]string{"net/url.parse", "net/http.readRequest", "net/http.(*conn).serve", "runtime.goexit"}, partHTTP},
		"encrypting":        {[]string{"crypto/internal/fips140/aes/gcm.gcmAesEnc", "crypto/tls.(*halfConn).encrypt", "crypto/tls.(*Conn).Write", "net/http.(*conn).serve"}, partHTTP},
		"garbage":           {[]string{"runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker", "runtime.goexit"}, partRuntime},
		"scheduling":        {[]string{"runtime.futex", "runtime.findRunnable", "runtime.schedule", "runtime.mcall"}, partRuntime},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := sharesIn(profiled(t, "cpu", map[int64][]string{10: test.stack}))
			require.NoError(t, err)
			assert.Equal(t, shares{test.part: 1}, found)
		})
	}
}

func TestSharesSumToOne(t *testing.T) {
	found, err := sharesIn(profiled(t, "cpu", map[int64][]string{
		100: {querySource + "/index.(*Snapshot).Page"},
		20:  {querySource + ".encodePage"},
		30:  {querySource + ".choose"},
		70:  {"imagecatalog.dev/catalog/pkg/access.(*Caller).May"},
		550: {"net/http.(*conn).serve"},
		230: {"runtime.mcall"},
	}))
	require.NoError(t, err)
	var sum float64
	for _, f := range found.figures("list/all") {
		sum += f.Value
		assert.Nil(t, f.Goal)
	}
	assert.InDelta(t, 1, sum, 1e-9)
	assert.Equal(t, withoutGoal("list/all/share/encoding", 0.05, 1, "of the CPU time"), found.figures("list/all")[1])
	assert.Contains(t, found.figures("list/all"), withoutGoal("list/all/share/request", 0, 1, "of the CPU time"), "a part that took nothing is a figure, too")
}

func TestWhatIsNoProfileOfCPUTimeIsRefused(t *testing.T) {
	for want, encoded := range map[string][]byte{
		"reading a profile: ":        []byte("<html>"),
		"it is none of CPU time":     profiled(t, "inuse_space", map[int64][]string{1: {"main.main"}}),
		"nothing was done meanwhile": profiled(t, "cpu", nil),
	} {
		_, err := sharesIn(encoded)
		assert.ErrorContains(t, err, want)
	}
}

// A function that was given another name would have its time attributed to another part.
func TestTheFunctionsThatPlayAPartAreThere(t *testing.T) {
	for _, work := range works {
		path, ours := strings.CutPrefix(work.prefix, "imagecatalog.dev/catalog/")
		if !ours {
			continue
		}
		slash := strings.LastIndex(path, "/") + 1
		folder, name, _ := strings.Cut(path[slash:], ".")
		source := sourceOf(t, filepath.Join("../..", path[:slash], folder))
		receiver, method, _ := strings.Cut(name, ".")
		switch {
		case name == "": // the whole package
			assert.NotEmpty(t, source, work.prefix)
		case strings.HasPrefix(receiver, "("):
			assert.Contains(t, source, " "+strings.Trim(receiver, "()")+") ", work.prefix)
		case method != "":
			assert.Contains(t, source, " "+receiver+") "+method+"(", work.prefix)
		default:
			assert.Contains(t, source, "\nfunc "+name+"(", work.prefix)
		}
	}
}

// sourceOf a package, without its tests.
func sourceOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(content)
	}
	return all.String()
}
