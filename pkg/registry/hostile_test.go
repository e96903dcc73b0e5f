package registry_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

// written is a manifest, index or configuration as no library would write it.
type written string

func (w written) digest() string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(w))) }

// padded fills up with what JSON ignores.
func (w written) padded(size int) written { return w + written(strings.Repeat(" ", size-len(w))) }

// descriptor refers to w; more are further fields, each with a comma before it.
func (w written) descriptor(mediaType types.MediaType, more string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d%s}`, mediaType, w.digest(), len(w), more)
}

func imageOf(config written, more string) written {
	return written(`{"config":` + config.descriptor(types.OCIConfigJSON, "") + more + `}`)
}

func indexOf(more string, images ...written) written {
	children := make([]string, len(images))
	for i, image := range images {
		children[i] = image.descriptor(types.OCIManifestSchema1, "")
	}
	return written(`{"manifests":[` + strings.Join(children, ",") + `]` + more + `}`)
}

// hold answers for the tag with the first content, and for digests with the one that has it.
func hold(contents ...written) faults {
	held := map[string]written{"1": contents[0]}
	for _, content := range contents {
		held[content.digest()] = content
	}
	return func(w http.ResponseWriter, r *http.Request) bool {
		content, ok := held[path.Base(r.URL.Path)]
		if !ok {
			return false
		}
		mediaType := types.OCIManifestSchema1
		if strings.HasPrefix(string(content), `{"manifests":`) {
			mediaType = types.OCIImageIndex
		}
		w.Header().Set("Content-Type", string(mediaType))
		_, _ = io.WriteString(w, string(content))
		return true
	}
}

func TestDescribeTotalBytes(t *testing.T) {
	const mebi = 1 << 20
	empty := written("{}")
	largest := empty.padded(registry.MaxConfigBytes)
	one := imageOf(empty, `,"artifactType":"one"`).padded(3 * mebi)
	two := imageOf(empty, `,"artifactType":"two"`).padded(3 * mebi)
	three := imageOf(empty, `,"artifactType":"three"`).padded(3 * mebi)
	config := empty.padded(3*mebi - 1024) // leaves room for the index
	heavy := imageOf(config, "").padded(2 * mebi)
	tests := map[string]struct {
		contents []written
		fits     bool
	}{
		"the largest single image":           {[]written{imageOf(largest, "").padded(registry.MaxManifestBytes), largest}, true},
		"an index of two large manifests":    {[]written{indexOf("", one, two), one, two, empty}, true},
		"one manifest often":                 {[]written{indexOf("", one, one, one, one), one, empty}, true},
		"an index of three large manifests":  {[]written{indexOf("", one, two, three), one, two, three, empty}, false},
		"a large manifest and configuration": {[]written{indexOf("", one, heavy), one, heavy, empty, config}, true},
		"the index itself counts":            {[]written{indexOf("", one, heavy).padded(mebi), one, heavy, empty, config}, false},
	}
	s := newServer(t)
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			s.inject(hold(test.contents...))
			_, err := describe(s.ref("acme/os:1"))
			if test.fits {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, registry.TooLarge, registry.ReasonOf(err))
			assert.EqualError(t, err, fmt.Sprintf("%[1]s/acme/os:1 on %[1]s is larger than is accepted (more than 8 MiB of manifests and configurations): make it smaller, or split it", s.host))
		})
	}
}

// What a manifest says of its configuration's size is enough to leave it where it is.
func TestAConfigurationThatIsTooLargeIsNotAskedFor(t *testing.T) {
	s := newServer(t)
	config := written("{}").padded(registry.MaxConfigBytes + 1)
	s.inject(hold(imageOf(config, ""), config))
	_, err := describe(s.ref("acme/os:1"))
	assert.Equal(t, registry.TooLarge, registry.ReasonOf(err))
	assert.Equal(t, []string{"GET /v2/", "GET /v2/acme/os/manifests/1"}, s.log())
}

func TestDescribeNames(t *testing.T) {
	empty := written("{}")
	image := imageOf(empty, "")
	layer := func(name string) written {
		return imageOf(empty, `,"layers":[`+empty.descriptor("a", "")+`,`+empty.descriptor(types.MediaType(name), "")+`]`)
	}
	platform := func(field, name string) written {
		return written(`{"manifests":[` + image.descriptor("a", fmt.Sprintf(`,"platform":{%q:%q}`, field, name)) + `]}`)
	}
	configured := func(field, name string) []written {
		config := written(fmt.Sprintf(`{%q:%q}`, field, name))
		return []written{imageOf(config, ""), config}
	}
	for field, contents := range map[string]func(name string) []written{
		"config.mediaType": func(name string) []written {
			return []written{written(`{"config":` + empty.descriptor(types.MediaType(name), "") + `}`)}
		},
		"layers[1].mediaType": func(name string) []written { return []written{layer(name), empty} },
		"artifactType": func(name string) []written {
			return []written{imageOf(empty, fmt.Sprintf(`,"artifactType":%q`, name)), empty}
		},
		"index: artifactType": func(name string) []written { return []written{indexOf(fmt.Sprintf(`,"artifactType":%q`, name))} },
		"manifests[0].mediaType": func(name string) []written {
			return []written{written(`{"manifests":[` + image.descriptor(types.MediaType(name), "") + `]}`), image, empty}
		},
		"manifests[0].platform.architecture": func(name string) []written { return []written{platform("architecture", name), image, empty} },
		"manifests[0].platform.os":           func(name string) []written { return []written{platform("os", name), image, empty} },
		"manifests[0].platform.variant":      func(name string) []written { return []written{platform("variant", name), image, empty} },
		"architecture":                       func(name string) []written { return configured("architecture", name) },
		"os":                                 func(name string) []written { return configured("os", name) },
		"variant":                            func(name string) []written { return configured("variant", name) },
	} {
		t.Run(field, func(t *testing.T) {
			s := newServer(t)
			s.inject(hold(contents(strings.Repeat("n", registry.MaxNameBytes))...))
			_, err := describe(s.ref("acme/os:1"))
			require.NoError(t, err)

			s.inject(hold(contents(strings.Repeat("n", registry.MaxNameBytes+1))...))
			_, err = describe(s.ref("acme/os:1"))
			assert.Equal(t, registry.Malformed, registry.ReasonOf(err))
			assert.ErrorContains(t, err, fmt.Sprintf("(its %s has 256 bytes, and 255 is the most)", strings.TrimPrefix(field, "index: ")))
		})
	}
}

func TestLongContentType(t *testing.T) {
	s := newServer(t)
	s.inject(only(body(types.MediaType("text/"+strings.Repeat("n", registry.MaxNameBytes)), "{}"), "manifests"))
	_, err := describe(s.ref("acme/os:1"))
	assert.Equal(t, registry.Malformed, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "its Content-Type has 260 bytes")

	s.inject(only(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/"+strings.Repeat("n", registry.MaxNameBytes))
		w.Header().Set("Docker-Content-Digest", written("").digest())
		w.Header().Set("Content-Length", "2")
		return true
	}, "HEAD"))
	_, err = newClient().Head(t.Context(), s.ref("acme/os:1"), nil)
	assert.Equal(t, registry.Malformed, registry.ReasonOf(err))
	assert.Len(t, s.log(), 2, "the ping and the HEAD")
}

// pairs are n fields of an object.
func pairs(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"%d":""`, i)
	}
	return strings.Join(fields, ",")
}

func TestDescribeCounts(t *testing.T) {
	labelled := func(n int) []written {
		config := written(`{"config":{"Labels":{` + pairs(n) + `}}}`)
		return []written{imageOf(config, ""), config}
	}
	annotated := func(n int) string { return `,"annotations":{` + pairs(n) + `}` }
	attestations := func(n int) []written {
		child := written("").descriptor("a", `,"platform":{"os":"unknown","architecture":"unknown"}`)
		return []written{written(`{"manifests":[` + strings.Repeat(child+",", n-1) + child + `]}`)}
	}
	empty := written("{}")
	for noun, test := range map[string]struct {
		most     int
		contents func(n int) []written
	}{
		"manifests":          {registry.MaxLayers, attestations},
		"labels":             {registry.MaxFacts, labelled},
		"annotations":        {registry.MaxFacts, func(n int) []written { return []written{imageOf(empty, annotated(n)), empty} }},
		"index: annotations": {registry.MaxFacts, func(n int) []written { return []written{indexOf(annotated(n))} }},
	} {
		t.Run(noun, func(t *testing.T) {
			s := newServer(t)
			s.inject(hold(test.contents(test.most)...))
			_, err := describe(s.ref("acme/os:1"))
			require.NoError(t, err)

			s.inject(hold(test.contents(test.most + 1)...))
			_, err = describe(s.ref("acme/os:1"))
			assert.Equal(t, registry.TooLarge, registry.ReasonOf(err))
			assert.ErrorContains(t, err, fmt.Sprintf("(more than %d %s)", test.most, strings.TrimPrefix(noun, "index: ")))
		})
	}
}

func TestDescribeLongFacts(t *testing.T) {
	longest := strings.Repeat("v", registry.MaxFactBytes-len("a"))
	config := written(fmt.Sprintf(`{"config":{"Labels":{"a":%q,"b":%q,"c":"short","c":%q}}}`, longest, longest+"v", longest+"v"))
	s := newServer(t)
	s.inject(hold(imageOf(config, fmt.Sprintf(`,"annotations":{"a":%q,"b":%q}`, longest, longest+"v")), config))

	got, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": longest}, got.Labels)
	assert.Equal(t, map[string]string{"a": longest}, got.Annotations)
}

func TestUnfitListsAndObjects(t *testing.T) {
	empty := written("{}")
	s := newServer(t)
	for _, more := range []string{`,"layers":{}`, `,"layers":"text"`, `,"layers":[1]`, `,"annotations":[]`, `,"annotations":{"a":1}`} {
		s.inject(hold(imageOf(empty, more), empty))
		_, err := describe(s.ref("acme/os:1"))
		assert.Equal(t, registry.Malformed, registry.ReasonOf(err), more)
	}
	s.inject(hold(imageOf(empty, `,"layers":null,"annotations":null`), empty))
	_, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)
}

// A message gets into a status, which has room for little more than a megabyte.
func TestMessagesAreShort(t *testing.T) {
	s := newServer(t)
	for title, sent := range map[string]written{
		"a digest":       written(`{"config":{"digest":"` + strings.Repeat(`\u0001`, 500_000) + `"}}`),
		"a number":       written(`{"config":{"size":` + strings.Repeat("1", 3_000_000) + `}}`),
		"cut in a glyph": written(`{"config":{"digest":"` + strings.Repeat("é", 500_000) + `"}}`),
	} {
		s.inject(hold(sent))
		_, err := describe(s.ref("acme/os:1"))
		require.Error(t, err, title)
		assert.Equal(t, registry.Malformed, registry.ReasonOf(err), title)
		assert.Less(t, len(err.Error()), 1000, title)
	}
}

// What is allocated in all, in the registry of this test too, is less than the memory that a publish pod has, 128 MiB;
// so what is alive at one time is less by far. What is refused for its numbers costs little more than its bytes.
func TestHostileImagesTakeLittleMemory(t *testing.T) {
	fill := func(before, element, after string) written {
		n := (registry.MaxManifestBytes - len(before) - len(after)) / (len(element) + 1)
		return written(before + strings.Repeat(element+",", n-1) + element + after)
	}
	plain := written("{}")
	history := fill(`{"history":[`, "{}", "]}")
	labels := written(`{"config":{"Labels":{` + pairs(350_000) + `}}}`)
	start := string(imageOf(plain, ""))
	start = start[:len(start)-1]
	wide := []written{""}
	for i := range 60 {
		list := strings.Repeat(plain.descriptor("", "")+",", 1000) + plain.descriptor("", "")
		wide = append(wide, imageOf(plain, fmt.Sprintf(`,"artifactType":"%d","layers":[%s]`, i, list)))
	}
	wide[0] = indexOf("", wide[1:]...)
	for title, test := range map[string]struct {
		contents []written
		reason   registry.Reason
	}{
		"empty layers":    {[]written{fill(start+`,"layers":[`, "{}", "]}")}, registry.TooLarge},
		"empty manifests": {[]written{fill(`{"manifests":[`, "{}", "]}")}, registry.TooLarge},
		"empty URLs":      {[]written{fill(start+`,"layers":[{"urls":[`, `""`, "]}]}")}, registry.Malformed},
		"annotations":     {[]written{imageOf(plain, `,"annotations":{`+pairs(350_000)+`}`), plain}, registry.TooLarge},
		"labels":          {[]written{imageOf(labels, ""), labels}, registry.TooLarge},
		"history":         {[]written{imageOf(history, ""), history}, ""},
		"many layers":     {append(wide, plain), ""},
	} {
		t.Run(title, func(t *testing.T) {
			s := newServer(t)
			s.inject(hold(test.contents...))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := describe(s.ref("acme/os:1"))
			runtime.ReadMemStats(&after)
			most := uint64(128 << 20)
			if test.reason == registry.TooLarge {
				most = 40 << 20
			}
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, most)
			assert.Equal(t, test.reason, registry.ReasonOf(err))
		})
	}
}
