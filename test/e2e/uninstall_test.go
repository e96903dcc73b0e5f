//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A deletion that waits for the webhook would wait for ever.
const deletionDeadline = 5 * time.Minute

// inTime runs a shell command in a folder, which has to end by itself within the deadline.
func inTime(t *testing.T, dir, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deletionDeadline)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, "bash", "-ec", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "%s: %s", script, out)
	require.NoError(t, err, "%s: %s", script, out)
	t.Logf("took %.1f s: %s", time.Since(began).Seconds(), strings.TrimSpace(script))
}

func TestWithoutAWebhookAllCanBeDeleted(t *testing.T) {
	const perNamespace = 20
	dir := makeRelease(t)
	var namespaces []string
	for range 20 {
		namespaces = append(namespaces, newNamespace(t, "e2e-away"))
	}
	createEntries(t, perNamespace, namespaces...)
	mustCommand(t, "kubectl", "--namespace", "image-catalog", "scale", "deployment/webhook", "--replicas=0")
	require.Eventually(t, func() bool { return len(webhookPods(t)) == 0 }, waitTimeout, pollInterval)
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespaces[0]).Create(t.Context(), entry(namespaces[0], perNamespace), metav1.CreateOptions{})
	require.ErrorContains(t, err, "failed calling webhook", "the webhook is away and still asked")

	t.Run("entries", func(t *testing.T) {
		inTime(t, dir, "kubectl delete catalogimages --all --namespace "+namespaces[0])
		left, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespaces[0]).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		assert.Empty(t, left.Items)
	})
	t.Run("entries with a finalizer", func(t *testing.T) {
		inTime(t, dir, "kubectl delete catalogimages --all --cascade=foreground --namespace "+namespaces[2])
	})
	t.Run("a namespace full of entries", func(t *testing.T) {
		inTime(t, dir, "kubectl delete namespace "+namespaces[1])
	})
	t.Run("the installation", func(t *testing.T) {
		inTime(t, dir, documented(t, "### Remove"))
		assert.Empty(t, installed(t))
	})
}

// prunable are the kinds in which README's upgrade looks for what is no longer there.
func prunable(t *testing.T) string {
	t.Helper()
	commands := strings.Fields(documented(t, "### Upgrade"))
	return commands[len(commands)-1]
}

// installed names all objects of the catalog itself in the cluster, entries apart.
func installed(t *testing.T) []string {
	t.Helper()
	return strings.Fields(mustCommand(t, "kubectl", "get", prunable(t)+",namespaces,customresourcedefinitions", "--ignore-not-found",
		"--all-namespaces", "--selector", "app.kubernetes.io/part-of=image-catalog", "--output", "name"))
}
