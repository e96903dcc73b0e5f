package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/result"
	"imagecatalog.dev/catalog/pkg/verify"
)

// bench is a real registry over HTTP with a two-platform image, and what a run left behind.
type bench struct {
	t        *testing.T
	host     string
	close    func()
	entries  entries
	policies policies
	secrets  secrets
	keyDir   string
	log      bytes.Buffer
	results  string

	mu       sync.Mutex
	requests int
	faults   func(http.ResponseWriter, *http.Request) bool
}

// answered counts a request and lets the faults answer it.
func (b *bench) answered(w http.ResponseWriter, r *http.Request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	return b.faults != nil && b.faults(w, r)
}

// inject makes a handler answer in the registry's place, and starts counting anew.
func (b *bench) inject(faults func(http.ResponseWriter, *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.requests = faults, 0
}

func (b *bench) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, entries: entries{}, results: t.TempDir()}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.answered(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.host, b.close = strings.TrimPrefix(server.URL, "http://"), server.Close
	return b
}

// push makes acme/os:1 an index of the given platforms, each with a layer of its own and one that all share.
func (b *bench) push(platforms ...v1.Platform) string {
	b.t.Helper()
	shared := static.NewLayer([]byte("shared"), types.OCILayer)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		layer, err := random.Layer(1<<20, types.OCILayer)
		require.NoError(b.t, err)
		image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), shared, layer)
		require.NoError(b.t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}})
	}
	ref, err := name.ParseReference(b.host + "/acme/os:1")
	require.NoError(b.t, err)
	require.NoError(b.t, remote.WriteIndex(ref, index))
	digest, err := index.Digest()
	require.NoError(b.t, err)
	b.inject(nil)
	return digest.String()
}

// verify runs the flow and writes the results.
func (b *bench) verify(options verify.Options) verify.Verdict {
	b.t.Helper()
	v := verify.Verifier{
		Registry: newClient(b.t),
		Entries:  func() (verify.Entries, error) { return b.entries, nil },
		Policies: func() (verify.Policies, error) { return b.policies, nil },
		Secrets:  func() (verify.Secrets, error) { return b.secrets, nil },
		KeyDir:   b.keyDir,
		Log:      &b.log,
	}
	verdict := v.Verify(b.t.Context(), options)
	require.NoError(b.t, verdict.WriteTo(result.NewDir(b.results), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	return verdict
}

func (b *bench) result(resultName string) string {
	b.t.Helper()
	content, err := os.ReadFile(filepath.Join(b.results, resultName))
	require.NoError(b.t, err)
	return string(content)
}

// entries stands for the catalog's client.
type entries map[string]*v1alpha1.CatalogImage

func (e entries) Get(_ context.Context, _, entryName string) (*v1alpha1.CatalogImage, error) {
	resource := schema.GroupResource{Group: "imagecatalog.dev", Resource: "catalogimages"}
	switch entry := e[entryName]; {
	case entryName == "forbidden":
		return nil, apierrors.NewForbidden(resource, entryName, nil)
	case entryName == "down":
		return nil, errors.New("connection refused")
	case entry == nil:
		return nil, apierrors.NewNotFound(resource, entryName)
	default:
		return entry, nil
	}
}

var (
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64"}
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
)

func TestVerified(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64, amd64)
	repository := b.host + "/acme/os"

	// Results of other Tasks often end in a newline.
	verdict := b.verify(verify.Options{ImageURL: repository + ":1\n", ImageDigest: digest + "\n", Platforms: []string{"linux/aarch64", "linux/amd64"}})

	assert.Equal(t, verify.Verified, verdict.Outcome, verdict)
	assert.Equal(t, 0, verdict.ExitCode(true))
	assert.Equal(t, 6, b.count(), "2+2p requests")
	assert.Equal(t, "true", b.result("VERIFIED"))
	assert.Equal(t, "Verified", b.result("REASON"))
	assert.Equal(t, repository+"@"+digest, b.result("PINNED_REF"))
	assert.JSONEq(t, fmt.Sprintf(`{"uri":%q,"digest":%q}`, repository, digest), b.result("CATALOG_ARTIFACT_INPUTS"))
	assert.JSONEq(t, fmt.Sprintf(`{"result":"SUCCESS","timestamp":"2026-03-01T12:00:00Z","note":%q,"successes":4,"failures":0,"warnings":0}`,
		repository+"@"+digest), b.result("TEST_OUTPUT"))
	assert.Regexp(t, `(?s)^ok +exists .*\nok +digest +sha256:.*\nok +platform +linux/arm64\nok +platform +linux/amd64\n$`, b.log.String())
}

func TestUnpinnedIsAWarning(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1"})
	assert.Equal(t, verify.Verified, verdict.Outcome)
	assert.Contains(t, b.result("TEST_OUTPUT"), `"result":"WARNING"`)
	assert.Equal(t, b.host+"/acme/os@"+digest, b.result("PINNED_REF"))
}

func TestNotVerified(t *testing.T) {
	b := newBench(t)
	pinned := b.push(arm64)
	moved := b.push(amd64)
	repository := b.host + "/acme/os"
	absent := "sha256:" + strings.Repeat("a", 64)
	tests := map[string]struct {
		options verify.Options
		reason  string
		says    []string
	}{
		"moved tag":        {verify.Options{ImageURL: repository + ":1", ImageDigest: pinned}, "DigestMismatch", []string{pinned, moved, "was moved"}},
		"moved tag in one": {verify.Options{ImageURL: repository + ":1@" + pinned}, "DigestMismatch", []string{pinned, moved}},
		"no such tag":      {verify.Options{ImageURL: repository + ":2", ImageDigest: pinned}, "NotFound", []string{"does not exist"}},
		"no such digest":   {verify.Options{ImageURL: repository + "@" + absent}, "NotFound", []string{"does not exist"}},
		"platform":         {verify.Options{ImageURL: repository + ":1", Platforms: []string{"linux/amd64", "linux/arm/v7"}}, "PlatformMissing", []string{"not built for linux/arm/v7; its platforms: linux/amd64"}},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			verdict := b.verify(test.options)
			assert.Equal(t, verify.NotVerified, verdict.Outcome)
			assert.Equal(t, 1, verdict.ExitCode(true))
			assert.Equal(t, 0, verdict.ExitCode(false))
			assert.Equal(t, "false", b.result("VERIFIED"))
			assert.Equal(t, test.reason, b.result("REASON"))
			assert.Contains(t, b.result("TEST_OUTPUT"), `"result":"FAILURE"`)
			assert.Contains(t, b.result("TEST_OUTPUT"), `"failures":1`)
			for _, text := range test.says {
				assert.Contains(t, verdict.Message, text)
			}
		})
	}

	verdict := b.verify(verify.Options{ImageURL: repository + "@" + pinned})
	assert.Equal(t, verify.Verified, verdict.Outcome, "by its digest alone the image is still itself")
}

func TestUndecided(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	for _, code := range []int{401, 403, 429} {
		b.inject(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.WriteHeader(code)
				return true
			}
			return false
		})
		verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1", ImageDigest: digest})
		assert.Equal(t, verify.Undecided, verdict.Outcome, "HTTP %d", code)
	}

	b.close()
	verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1", ImageDigest: digest})
	assert.Equal(t, verify.Undecided, verdict.Outcome)
	assert.Equal(t, 2, verdict.ExitCode(true))
	assert.Equal(t, 2, verdict.ExitCode(false), "no answer never opens the gate")
	assert.Equal(t, "RegistryUnavailable", b.result("REASON"))
	assert.Equal(t, "false", b.result("VERIFIED"))
	assert.Equal(t, b.host+"/acme/os@"+digest, b.result("PINNED_REF"), "what was asked for is known all the same")
	assert.Contains(t, b.result("TEST_OUTPUT"), `"result":"ERROR"`)
}

func TestUndecidedWhenTheSettingsBlock(t *testing.T) {
	b := newBench(t)
	verdict := b.verify(verify.Options{ImageURL: "10.0.0.7:5000/acme/os:1"})
	assert.Equal(t, verify.Undecided, verdict.Outcome)
	assert.Equal(t, 2, verdict.ExitCode(false), "no answer never opens the gate")
	assert.Equal(t, "Blocked", b.result("REASON"))
	assert.Contains(t, verdict.Message, "have privateAddresses set for 10.0.0.7:5000 in config-registries")
}

func TestContent(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64, amd64)
	options := verify.Options{ImageURL: b.host + "/acme/os:1", ImageDigest: digest, Content: true}

	verdict := b.verify(options)
	assert.Equal(t, verify.Verified, verdict.Outcome, verdict)
	blobs := 5 // two configurations, a layer each, and one that both have
	assert.Equal(t, 6+blobs, b.count(), "each distinct blob is fetched once, by the way in that is known already")
	assert.Contains(t, b.log.String(), "blob 5 of 5, 2.1 MB of 2.1 MB")

	altered := 0
	b.inject(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		if altered++; altered <= 4 { // two configurations for the description, then the first two blobs
			return false
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		return true
	})
	verdict = b.verify(options)
	assert.Equal(t, verify.NotVerified, verdict.Outcome, verdict)
	assert.Equal(t, "DigestMismatch", b.result("REASON"))
}

func TestContentGone(t *testing.T) {
	b := newBench(t)
	digest := b.push(arm64)
	fetched := 0
	b.inject(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			if fetched++; fetched > 2 {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
		}
		return false
	})
	verdict := b.verify(verify.Options{ImageURL: b.host + "/acme/os:1", ImageDigest: digest, Content: true})
	assert.Equal(t, verify.NotVerified, verdict.Outcome)
	assert.Equal(t, "Incomplete", b.result("REASON"))
}

func TestEntry(t *testing.T) {
	b := newBench(t)
	before := b.push(arm64)
	now := b.push(amd64)
	entry := func(image, digest string, edits ...func(*v1alpha1.CatalogImage)) *v1alpha1.CatalogImage {
		e := &v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Image: image, Digest: digest}}
		for _, edit := range edits {
			edit(e)
		}
		return e
	}
	found := func(digest string) func(*v1alpha1.CatalogImage) {
		return func(e *v1alpha1.CatalogImage) { e.Status.Digest = digest }
	}
	recalled := func(e *v1alpha1.CatalogImage) {
		e.Spec.Lifecycle = &v1alpha1.Lifecycle{State: v1alpha1.LifecycleRecalled, Reason: "CVE-2026-1", Successor: "os-2"}
	}
	image := b.host + "/acme/os:1"
	b.entries = entries{
		"pinned":        entry(image, now),
		"moved":         entry(image, before),
		"by-digest":     entry(b.host+"/acme/os@"+before, ""),
		"following":     entry(image, "", found(now)),
		"drifted":       entry(image, "", found(before)),
		"never-checked": entry(image, ""),
		"recalled":      entry(image, now, recalled),
		"invalid":       entry("NO IMAGE", ""),
	}
	tests := map[string]struct {
		outcome verify.Outcome
		reason  string
		says    string
	}{
		"pinned":        {verify.Verified, "Verified", now},
		"moved":         {verify.NotVerified, "DigestMismatch", before},
		"by-digest":     {verify.Verified, "Verified", before},
		"following":     {verify.Verified, "Verified", now},
		"drifted":       {verify.NotVerified, "DigestMismatch", now},
		"never-checked": {verify.Verified, "Verified", now},
		"recalled":      {verify.NotVerified, "Recalled", "the entry team/recalled is recalled (CVE-2026-1): use os-2"},
		"invalid":       {verify.NotVerified, "EntryInvalid", "the entry team/invalid names no image that can be asked for: "},
		"absent":        {verify.NotVerified, "EntryNotFound", "there is no entry team/absent"},
		"forbidden":     {verify.Undecided, "CatalogForbidden", "may not read the entry team/forbidden"},
		"down":          {verify.Undecided, "CatalogUnavailable", "connection refused"},
	}
	for entryName, test := range tests {
		t.Run(entryName, func(t *testing.T) {
			verdict := b.verify(verify.Options{Name: entryName, Namespace: "team"})
			assert.Equal(t, test.outcome, verdict.Outcome, verdict)
			assert.Equal(t, test.reason, verdict.Reason)
			assert.Contains(t, verdict.Message, test.says)
			assert.NotContains(t, verdict.Message, "IMAGE_URL", "nobody wrote that param")
		})
	}
}

// A name as long as references can be leaves room for all results, the note shortened.
func TestResultsFitTheBudget(t *testing.T) {
	host := strings.Repeat("a", 250) + ".io"
	pinned, err := name.NewDigest(host + "/" + strings.Repeat("b", 255) + "@sha256:" + strings.Repeat("c", 64))
	require.NoError(t, err)
	path := t.TempDir()
	verdict := verify.Verdict{Outcome: verify.NotVerified, Reason: string(registry.RegistryUnavailable), Message: strings.Repeat(`"<é`, 1000), Pinned: &pinned}
	require.NoError(t, verdict.WriteTo(result.NewDir(path), time.Now()))

	content, err := os.ReadFile(filepath.Join(path, "TEST_OUTPUT"))
	require.NoError(t, err)
	var output map[string]any
	require.NoError(t, json.Unmarshal(content, &output))
	assert.Equal(t, "FAILURE", output["result"])
	assert.Contains(t, output["note"], "…")
}

func TestRefuse(t *testing.T) {
	verdict := verify.Refuse(errors.New("anything"))
	assert.NotEqual(t, 0, verdict.ExitCode(false))
}

// newClient may ask this machine by plain HTTP.
func newClient(t *testing.T) *registry.Client {
	t.Helper()
	settings, err := registry.ParseSettings(map[string]string{"hosts": "127.0.0.1: {plainHTTP: true, privateAddresses: true}"})
	require.NoError(t, err)
	return registry.New(settings)
}
