//go:build controlplane

package controlplane

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/plane"
)

// turn is something that happens to an entry, and what the controller writes about it.
type turn struct {
	name   string
	after  *turn // what has to be before
	do     func(*stage)
	writes []string // in no order
}

const (
	claimAdopted  = "PUT leases"
	claimReleased = "DELETE leases"
	labelWrite    = "PATCH catalogimages"
	statusWrite   = "PUT catalogimages/status"
	eventWrite    = "POST events"
)

var (
	published = &turn{
		name:   "an entry is published",
		do:     func(s *stage) { s.push("1", s.arm); s.create("autosd", "1") },
		writes: []string{claimAdopted, eventWrite, statusWrite, labelWrite},
	}
	changed = &turn{
		name:   "another image is entered",
		after:  published,
		do:     func(s *stage) { s.push("2", s.intel); s.change() },
		writes: []string{claimAdopted, claimReleased, eventWrite, statusWrite, labelWrite},
	}
	drifted = &turn{
		name:   "the tag is moved",
		after:  published,
		do:     func(s *stage) { s.push("1", s.intel); s.ask() },
		writes: []string{eventWrite, statusWrite, labelWrite},
	}
	vanished = &turn{
		name:   "the image is deleted",
		after:  published,
		do:     func(s *stage) { s.delete("1"); s.ask() },
		writes: []string{eventWrite, statusWrite},
	}
	recovered = &turn{
		name:   "the image is back",
		after:  vanished,
		do:     func(s *stage) { s.push("1", s.arm); s.ask() },
		writes: []string{eventWrite, statusWrite},
	}
	removed = &turn{
		name:   "the entry is deleted",
		after:  published,
		do:     func(s *stage) { s.remove() },
		writes: []string{claimReleased},
	}
	repaired = &turn{
		name:   "the status is damaged",
		after:  published,
		do:     func(s *stage) { s.damage(); s.ask() },
		writes: []string{eventWrite, statusWrite},
	}
	asked = &turn{
		name:   "a check is asked for",
		after:  published,
		do:     func(s *stage) { s.ask() },
		writes: []string{statusWrite},
	}
	due = &turn{
		name:   "a check is due",
		after:  published,
		do:     func(s *stage) { s.restart(func() { overdue(s.t, s.namespace, "autosd") }) },
		writes: []string{statusWrite},
	}
	turns = []*turn{published, changed, drifted, vanished, recovered, removed, repaired, asked, due}
)

// stages are all in front of one gateway, with a registry and two images that differ in all that the status tells.
type stages struct {
	gateway    *plane.Gateway
	host       string
	arm, intel v1.Image
}

func newStages(t *testing.T) *stages {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return &stages{
		gateway: withGateway(t), host: strings.TrimPrefix(server.URL, "http://"),
		arm: imageFor(t, "arm64"), intel: imageFor(t, "amd64"),
	}
}

func imageFor(t *testing.T, architecture string) v1.Image {
	t.Helper()
	image, err := random.Image(512, 2)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	config.OS, config.Architecture = "linux", architecture
	image, err = mutate.ConfigFile(image, config)
	require.NoError(t, err)
	return image
}

// stage is where one entry lives: a namespace, and a repository of that name.
type stage struct {
	*stages
	t         *testing.T
	namespace string
	entries   catalogclient.CatalogImageInterface
}

func (s *stages) open(t *testing.T) *stage {
	t.Helper()
	namespace := newNamespace(t)
	opened := &stage{s, t, namespace, catalog.ImagecatalogV1alpha1().CatalogImages(namespace)}
	opened.follow()
	return opened
}

// follow has the writes counted that are about the stage from now on. Who deletes a claim names nothing but its lease.
func (s *stage) follow() {
	subjects := []string{s.namespace}
	for _, tag := range []string{"1", "2"} {
		wanted := claim.For(&metav1.ObjectMeta{Namespace: s.namespace, Name: "autosd"}, s.ref(tag))
		subjects = append(subjects, wanted.LeaseName())
	}
	s.gateway.Follow(subjects...)
}

// play has a turn happen, with all before it, and waits until everything is written.
func (s *stage) play(turn *turn) {
	s.t.Helper()
	s.prepare(turn)
	turn.do(s)
	assert.Eventually(s.t, func() bool { return len(s.stored()) >= len(turn.writes) }, patience, pause)
	time.Sleep(quiet)
	require.ElementsMatch(s.t, turn.writes, s.stored(), "%s: %v", turn.name, s.gateway.Writes())
	require.Len(s.t, s.gateway.Writes(), len(turn.writes), "some came to nothing: %v", s.gateway.Writes())
}

// stored are the writes that came to their end.
func (s *stage) stored() (writes []string) {
	for _, write := range s.gateway.Writes() {
		if write.Stored {
			writes = append(writes, write.What)
		}
	}
	return writes
}

// quiet is how long no write may come after the last one.
const quiet = 300 * time.Millisecond

// prepare has happen what is before a turn.
func (s *stage) prepare(turn *turn) {
	s.t.Helper()
	if turn.after != nil {
		s.play(turn.after)
	}
	s.follow()
}

func (s *stage) ref(tag string) name.Reference {
	ref, err := name.ParseReference(s.host + "/" + s.namespace + ":" + tag)
	require.NoError(s.t, err)
	return ref
}

func (s *stage) push(tag string, image v1.Image) {
	require.NoError(s.t, remote.Write(s.ref(tag), image))
}

func (s *stage) delete(tag string) {
	head, err := remote.Head(s.ref(tag))
	require.NoError(s.t, err)
	require.NoError(s.t, remote.Delete(s.ref(tag).Context().Digest(head.Digest.String())))
	require.NoError(s.t, remote.Delete(s.ref(tag)))
}

func (s *stage) create(name, tag string) {
	_, err := s.entries.Create(s.t.Context(), newEntry(name, s.ref(tag).Name()), metav1.CreateOptions{})
	require.NoError(s.t, err)
}

func (s *stage) change() {
	_, err := change(s.t, s.entries, "autosd", func(entry *v1alpha1.CatalogImage) { entry.Spec.Image = s.ref("2").Name() })
	require.NoError(s.t, err)
}

func (s *stage) remove() {
	require.NoError(s.t, s.entries.Delete(s.t.Context(), "autosd", metav1.DeleteOptions{}))
}

func (s *stage) ask() { askAll(s.t, s.namespace) }

// damage writes a status that the controller cannot have written. It does not look at what else than a spec is written.
func (s *stage) damage() {
	patch := []byte(`{"status": {"digest": "sha256:damaged"}}`)
	_, err := s.entries.Patch(s.t.Context(), "autosd", types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	require.NoError(s.t, err)
}

// scene is what can be seen on a stage.
type scene struct {
	state  string
	events map[string]int
}

// seen is the same for the same, whichever stage it is on, and whenever.
func (s *stage) seen() scene {
	s.t.Helper()
	list, err := s.entries.List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	var state strings.Builder
	for _, entry := range list.Items {
		text, err := yaml.Marshal(map[string]any{"labels": entry.Labels, "generation": entry.Generation, "spec": entry.Spec, "status": entry.Status})
		require.NoError(s.t, err)
		fmt.Fprintf(&state, "entry %s:\n%s", entry.Name, text)
	}
	for _, lease := range claimsIn(s.t, s.namespace) {
		fmt.Fprintf(&state, "claim on %s: %s, %s\n", lease.Annotations[claim.IdentityAnnotation], claim.Holder(&lease).Name, lease.Labels[claim.StateLabel])
	}
	return scene{anyTime.ReplaceAllString(strings.ReplaceAll(state.String(), s.namespace, "namespace"), "TIME"), toldIn(s.t, s.namespace)}
}

var anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// toldIn is how often each Event was told, by the entry and the reason.
func toldIn(t *testing.T, namespace string) map[string]int {
	t.Helper()
	told := map[string]int{}
	events, err := kube.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, event := range events.Items {
		told[event.InvolvedObject.Name+" "+event.Reason] += int(max(event.Count, 1))
	}
	return told
}
