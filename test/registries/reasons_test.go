//go:build registries

package registries

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

type class = func(*testing.T, *backend) *scene

// minutes is a time to stay away that is long enough to be recognised whatever a look-up takes.
const minutes = 10 * time.Minute

// served are the faults of a host that answers. They are the same in front of each registry.
var served = map[string]class{
	"no fault":                            injected(byTag, nil),
	"no fault, an index":                  injected(byIndex, nil),
	"no fault, HEAD":                      injected(byHead, nil),
	"no header at the ping":               injected(byTag, always(faults.Silent())),
	"no header":                           injected(byTag, always(faults.Silent().At("/manifests/"))),
	"slow body":                           injected(byTag, always(faults.Dripping().At("/manifests/"))),
	"reset in the body":                   injected(byTag, always(faults.Reset().At("/manifests/"))),
	"reset in the configuration":          injected(byTag, always(faults.Reset().At("/blobs/"))),
	"truncated":                           injected(byTag, always(faults.Truncated().At("/manifests/"))),
	"truncated as if whole":               injected(byTag, always(faults.Shortened().At("/manifests/"))),
	"401":                                 injected(byTag, always(faults.Status(http.StatusUnauthorized).At("/manifests/"))),
	"401 everywhere":                      injected(byTag, always(faults.Status(http.StatusUnauthorized))),
	"403":                                 injected(byTag, always(faults.Status(http.StatusForbidden).At("/manifests/"))),
	"403, HEAD":                           injected(byHead, always(faults.Status(http.StatusForbidden).At("HEAD "))),
	"404":                                 injected(byTag, always(faults.Status(http.StatusNotFound).At("/manifests/"))),
	"404, HEAD only":                      injected(byHead, always(faults.Status(http.StatusNotFound).At("HEAD "))),
	"404 of the configuration":            injected(byTag, always(faults.Status(http.StatusNotFound).At("/blobs/"))),
	"404 everywhere":                      injected(byTag, always(faults.Status(http.StatusNotFound))),
	"405, HEAD only":                      injected(byHead, always(faults.Status(http.StatusMethodNotAllowed).At("HEAD "))),
	"429":                                 injected(byTag, always(faults.Status(http.StatusTooManyRequests).At("/manifests/"))),
	"429 with seconds":                    injected(byTag, always(faults.RetryAfter(http.StatusTooManyRequests, "600").At("/manifests/"))),
	"429 with a date":                     injected(byTag, throttledUntil),
	"429 at the ping":                     injected(byTag, always(faults.RetryAfter(http.StatusTooManyRequests, "600"))),
	"500":                                 injected(byTag, always(faults.Status(http.StatusInternalServerError).At("/manifests/"))),
	"500 of the configuration":            injected(byTag, always(faults.Status(http.StatusInternalServerError).At("/blobs/"))),
	"503":                                 injected(byTag, always(faults.Status(http.StatusServiceUnavailable).At("/manifests/"))),
	"503 with seconds":                    injected(byTag, always(faults.RetryAfter(http.StatusServiceUnavailable, "600").At("/manifests/"))),
	"oversized manifest":                  injected(byTag, always(faults.Oversized(registry.MaxManifestBytes+1).At("/manifests/"))),
	"oversized configuration":             injected(byTag, always(faults.Oversized(registry.MaxConfigBytes+1).At("/blobs/"))),
	"malformed manifest":                  injected(byTag, always(faults.Replaced("<html>").At("/manifests/"))),
	"manifest of nothing":                 injected(byTag, always(faults.Replaced("{}").At("/manifests/"))),
	"wrong digest":                        injected(byDigest, always(faults.Replaced("{}").At("/manifests/"))),
	"wrong digest of the configuration":   injected(byTag, always(faults.Altered().At("/blobs/"))),
	"wrong digest in an index":            injected(byIndex, always(faults.Oversized(4096).At("/manifests/sha256:"))),
	"redirect to another host":            injected(byTag, redirected("/blobs/")),
	"redirect of everything":              injected(byTag, redirected("")),
	"redirect to a private address":       injected(byTag, always(faults.Redirect("https://10.0.0.1").At("/blobs/"))),
	"redirect to the metadata of a cloud": injected(byTag, always(faults.Redirect("https://169.254.169.254").At("/blobs/"))),
	"redirect to a name of loopback":      injected(byTag, always(faults.Redirect("https://localhost").At("/blobs/"))),
	"redirect out of HTTPS":               injected(byTag, always(faults.Redirect("http://registry.example").At("/blobs/"))),
	"redirect to itself":                  injected(byTag, func(s *scene) faults.Fault { return faults.Redirect(s.proxy.URL).At("/blobs/") }),
	"redirect with a user name":           injected(byTag, always(faults.Redirect("https://user:word@registry.example").At("/blobs/"))),
	"endless referrers":                   injected(referrers, always(faults.Endless().At("/referrers/"))),
	"referrers go on elsewhere":           injected(referrers, func(s *scene) faults.Fault { return faults.Elsewhere(s.elsewhere.URL).At("/referrers/") }),
	"500 of referrers":                    injected(referrers, always(faults.Status(http.StatusInternalServerError).At("/referrers/"))),
}

// connected are the faults of a connection. They come before any registry.
var connected = map[string]class{
	"refused":                     unreachable(faults.Refused),
	"connect timeout":             unreachable(faults.Deaf),
	"private CA":                  certified("127.0.0.1", time.Hour, ours),
	"unknown CA":                  certified("127.0.0.1", time.Hour, another),
	"expired certificate":         certified("127.0.0.1", -time.Hour, ours),
	"certificate of another host": certified("registry.example", time.Hour, ours),
	"TLS wanted, HTTP spoken": misconfigured(func(*testing.T) faults.Site { return faults.Site{} },
		func(host string) string { return trusting(host, authority) }),
	"HTTP wanted, TLS spoken": misconfigured(withTLS, func(string) string { return plain }),
	"not configured":          misconfigured(withTLS, func(string) string { return "" }),
}

func throttledUntil(*scene) faults.Fault {
	until := time.Now().Add(minutes).UTC().Format(http.TimeFormat)
	return faults.RetryAfter(http.StatusTooManyRequests, until).At("/manifests/")
}

func redirected(at string) func(*scene) faults.Fault {
	return func(s *scene) faults.Fault { return faults.Redirect(s.elsewhere.URL).At(at) }
}

// Each fault has its reason, its words, and the requests that it takes to know. testdata/reasons.golden has them all;
// `go test -update` writes it anew.
func TestReasons(t *testing.T) {
	t.Parallel()
	want := readGolden(t)
	got := golden{}
	t.Run("all", func(t *testing.T) {
		for _, group := range []struct {
			name     string
			registry *backend
			classes  map[string]class
		}{
			{"connection", open, connected},
			{"distribution 3", open, served},
			{"debian", debian, served},
			{"referrers API", modern, only(served, "no fault", "endless referrers", "referrers go on elsewhere", "500 of referrers")},
		} {
			for title, makeScene := range group.classes {
				t.Run(group.name+"/"+title, func(t *testing.T) {
					t.Parallel()
					s := makeScene(t, group.registry)
					section := group.name + ": " + title
					played := s.play(t)
					got.put(section, played)
					if !*update {
						assert.Equal(t, want.get(section), played, "testdata/reasons.golden has another end of this; the requests were\n%s", s.log())
					}
				})
			}
		}
	})
	if *update {
		require.NoError(t, os.WriteFile(goldenPath, []byte(got.String()), 0o600))
	}
}

func (s *scene) log() faults.Log {
	if s.proxy == nil {
		return nil
	}
	return s.proxy.Log()
}

func only(classes map[string]class, titles ...string) map[string]class {
	chosen := map[string]class{}
	for _, title := range titles {
		chosen[title] = classes[title]
	}
	return chosen
}

const goldenPath = "testdata/reasons.golden"

// golden is a text for each title. Tests that run at the same time write into it.
type golden struct {
	mutex sync.Mutex
	texts map[string]string
}

const heading = "== "

func readGolden(t *testing.T) *golden {
	t.Helper()
	content, err := os.ReadFile(goldenPath)
	if *update && os.IsNotExist(err) {
		return &golden{}
	}
	require.NoError(t, err)
	read := &golden{}
	for section := range strings.SplitSeq(string(content), "\n"+heading) {
		title, text, _ := strings.Cut(section, "\n")
		read.put(strings.TrimPrefix(title, heading), text)
	}
	return read
}

func (g *golden) put(title, text string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.texts == nil {
		g.texts = map[string]string{}
	}
	g.texts[title] = text
}

func (g *golden) get(title string) string { return g.texts[title] }

func (g *golden) String() string {
	sections := make([]string, 0, len(g.texts))
	for _, title := range slices.Sorted(maps.Keys(g.texts)) {
		sections = append(sections, heading+title+"\n"+g.texts[title])
	}
	return strings.Join(sections, "\n")
}
