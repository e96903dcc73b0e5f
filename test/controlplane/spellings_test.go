//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// spellings are twenty specs of one image; v1alpha1.CatalogImageSpec.Reference says what counts as one.
func spellings(repository, digest string) []v1alpha1.CatalogImageSpec {
	var all []v1alpha1.CatalogImageSpec
	for _, host := range []string{
		"", "library/", "docker.io/", "docker.io/library/", "index.docker.io/library/",
		"INDEX.docker.io/library/", "index.docker.io./library/", "index.docker.io:443/library/", "index.docker.io:0443/library/", "registry-1.docker.io/library/",
	} {
		all = append(all,
			v1alpha1.CatalogImageSpec{Image: host + repository + ":1.29@" + digest},
			v1alpha1.CatalogImageSpec{Image: host + repository, Digest: digest})
	}
	return all
}

// storm creates ten entries of each spec at once, and gives back what became of each by name.
func storm(ctx context.Context, entries catalogclient.CatalogImageInterface, prefix string, specs []v1alpha1.CatalogImageSpec) map[string]error {
	var all sync.WaitGroup
	var mutex sync.Mutex
	outcomes := map[string]error{}
	for n := range 10 * len(specs) {
		all.Go(func() {
			entry := newEntry(fmt.Sprintf("%s-%d", prefix, n), "")
			entry.Spec = specs[n%len(specs)]
			_, err := entries.Create(ctx, entry, metav1.CreateOptions{})
			mutex.Lock()
			defer mutex.Unlock()
			outcomes[entry.Name] = err
		})
	}
	all.Wait()
	return outcomes
}

// requireOne requires that one entry is stored, and that all that were refused were told its name.
func requireOne(t *testing.T, entries catalogclient.CatalogImageInterface, outcomes map[string]error) (winner string) {
	t.Helper()
	stored, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, stored.Items, 1)
	winner = stored.Items[0].Name
	for name, err := range outcomes {
		if name == winner {
			assert.NoError(t, err)
			continue
		}
		if assert.Error(t, err, name) {
			assert.Contains(t, err.Error(), fmt.Sprintf("%q", winner), "the refusal names the entry that won")
			assert.NotEqual(t, strings.Contains(err.Error(), "already, as"), claim.SaysRetry(err.Error()), "a refusal is final or says when to retry: %v", err)
		}
	}
	return winner
}

func TestOfTwoHundredCreatesOfOneImageOneWins(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	before := installed.Balancer.Served()
	specs := spellings("nginx", digestOf("nginx"))
	require.Len(t, specs, 20)
	outcomes := storm(t.Context(), entries, "entry", specs)
	require.Len(t, outcomes, 200)
	requireOne(t, entries, outcomes)
	for replica, served := range installed.Balancer.Served() {
		assert.Greater(t, served, before[replica], "%s was asked", installed.Webhooks[replica].Name)
	}
}

func TestTheTagLatestNeedNotBeSpelled(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	requireOne(t, entries, storm(t.Context(), entries, "entry", []v1alpha1.CatalogImageSpec{
		{Image: "quay.io/acme/autosd"}, {Image: "quay.io/acme/autosd:latest"}, {Image: "QUAY.IO:443/acme/autosd"},
	}))
}

func TestOfGeneratedNamesOneWins(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	generated := newEntry("", "quay.io/acme/autosd:1")
	generated.GenerateName = "autosd-"
	first, err := entries.Create(t.Context(), generated.DeepCopy(), metav1.CreateOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, first.Name)
	for range 3 {
		_, err = entries.Create(t.Context(), generated.DeepCopy(), metav1.CreateOptions{})
		assert.ErrorContains(t, err, fmt.Sprintf("already, as %q", first.Name))
	}
}
