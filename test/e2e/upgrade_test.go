//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// previous is the commit to upgrade from: the last one with another schema than the present.
const previous = "a9ac0f579f84"

// previousTree gives the sources to upgrade from: of the commit UPGRADE_FROM, by default of previous.
func previousTree(t *testing.T) (dir string) {
	t.Helper()
	from, chosen := os.LookupEnv("UPGRADE_FROM")
	if !chosen {
		from = previous
	}
	if out, err := command(t, "", "git", "-C", repositoryRoot, "rev-parse", "--verify", from+"^{commit}"); err != nil {
		require.False(t, chosen, "UPGRADE_FROM: %s", out)
		t.Log("this clone has no history: the present tree is upgraded from itself")
		return repositoryRoot
	}
	t.Logf("upgrading from %s", mustCommand(t, "git", "-C", repositoryRoot, "log", "-1", "--oneline", from))
	dir = t.TempDir()
	mustCommand(t, "bash", "-ec", `set -o pipefail; git -C "$1" archive "$2" | tar --extract --directory "$3"`, "bash", repositoryRoot, from, dir)
	return dir
}

// retired is what an old installation had and the present one has no more. The rights that it gives are for the old
// webhook to make its namespace the owner of its configurations, until it ends: the present roles have them no more, and
// to delete them is what an admission plugin asks for besides (OwnerReferencesPermissionEnforcement, on in OpenShift and
// in the embedded cluster).
const retired = `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: imagecatalog-retired
  labels:
    app.kubernetes.io/part-of: image-catalog
rules:
  - apiGroups: [admissionregistration.k8s.io]
    resources: [mutatingwebhookconfigurations, validatingwebhookconfigurations]
    verbs: [delete]
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get]
  - apiGroups: [""]
    resources: [namespaces/finalizers]
    verbs: [update]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: imagecatalog-retired
  labels:
    app.kubernetes.io/part-of: image-catalog
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: imagecatalog-retired}
subjects: [{kind: ServiceAccount, name: webhook, namespace: image-catalog}]
`

// installFrom installs what is in a source tree, as no release of it exists.
func installFrom(t *testing.T, tree string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "ko", "resolve", "--base-import-paths", "--filename", "config")
	build.Dir = tree
	build.Env = append(os.Environ(), "KO_CONFIG_PATH=ko.yaml", "KO_DOCKER_REPO="+os.Getenv("KO_DOCKER_REPO")+"/previous",
		"KOCACHE="+filepath.Join(os.Getenv("KOCACHE"), "previous")) // which has the same binaries in other versions
	manifests, err := build.Output()
	require.NoError(t, err)
	out, err := command(t, string(manifests)+retired, "kubectl", "apply", "--server-side", "--filename", "-")
	require.NoError(t, err, out)
	mustCommand(t, "kubectl", "rollout", "status", "deployment", "--namespace", "image-catalog", "--timeout=180s")
	waitUntilRefusing(t)
}

// waitUntilRefusing waits for the webhook to have written its rules into the API server, which it does when it is ready.
func waitUntilRefusing(t *testing.T) {
	t.Helper()
	refused := filepath.Join(repositoryRoot, "test/run/refused.yaml")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := command(t, "", "kubectl", "create", "--dry-run=server", "--filename", refused)
		assert.Error(c, err)
		assert.Contains(c, out, "denied the request: validation failed")
	}, waitTimeout, pollInterval)
}

// oldEntries are of the shapes that entries have had from the beginning.
const oldEntries = `
apiVersion: imagecatalog.dev/v1alpha1
kind: CatalogImage
metadata:
  name: follows-a-tag
spec:
  image: REGISTRY/e2e/upgrade:1
---
apiVersion: imagecatalog.dev/v1alpha1
kind: CatalogImage
metadata:
  name: pinned
spec:
  image: REGISTRY/e2e/upgrade:2
  digest: DIGEST
---
apiVersion: imagecatalog.dev/v1alpha1
kind: CatalogImage
metadata:
  name: all-fields
  labels: {team: boards}
  annotations: {example.com/ticket: "17"}
spec:
  image: REGISTRY/e2e/upgrade:3
  displayName: An image for boards
  tags: [nightly, boards]
  series: autosd
  channel: stage
  checkInterval: 5m
  metadata:
    architecture: x86_64
    os: linux
    distro: autosd
    distroVersion: "9"
    targets: [{name: raspberry-pi, verified: true, notes: booted}, {name: qemu}]
    bootc: false
    buildMode: image
    exportFormat: qcow2
    kernelVersion: 5.14.0
  source: {kind: External}
  lifecycle: {state: Deprecated, reason: there is a newer one, successor: pinned}
---
apiVersion: imagecatalog.dev/v1alpha1
kind: CatalogImage
metadata:
  name: absent
spec:
  image: REGISTRY/e2e/upgrade:absent
`

var readyEntries = []string{"follows-a-tag", "pinned", "all-fields"}

func TestAnUpgradeKeepsEntries(t *testing.T) {
	tree, dir := previousTree(t), makeRelease(t)
	inTime(t, dir, documented(t, "### Remove"))
	installFrom(t, tree)
	namespace := newNamespace(t, "e2e-upgrade")
	publishOldEntries(t, namespace)
	outgrown := publishOutgrown(t, namespace)
	before := keptOf(t, namespace, len(readyEntries)+1+len(outgrown))

	publishing := startPublishers(t, newNamespace(t, "e2e-during-upgrade"))
	upgrade := exec.CommandContext(t.Context(), "bash", "-ec", documented(t, "### Upgrade"))
	upgrade.Dir = dir
	out, err := output(upgrade, "")
	require.NoError(t, err, out)
	require.NoError(t, publishing.stop())
	publishing.assertHeard(t)
	assert.Contains(t, out, `clusterrole.rbac.authorization.k8s.io "imagecatalog-retired" deleted`)

	assert.Equal(t, before, keptOf(t, namespace, len(before)))
	assertInstalled(t, dir)
	t.Run("a private registry needs a setting", func(t *testing.T) {
		registry := os.Getenv("REGISTRY")
		fresh := createBlocked(t, namespace, registry)
		allowRegistry(t, registry)
		awaitReady(t, namespace, fresh.Name)
	})
	t.Run("old entries can be changed", func(t *testing.T) { changeOldEntries(t, namespace) })
	t.Run("entries that are admitted no more live on", func(t *testing.T) { assertAlive(t, namespace, outgrown) })
	t.Run("old claims are honoured", func(t *testing.T) { duplicateOldEntries(t, namespace) })
}

// outgrown are specs that earlier schemas admitted, by the name of the entry.
var outgrown = map[string]string{
	"series-with-a-slash":     `{image: REGISTRY/e2e/outgrown:1, series: acme/autosd}`,
	"own-successor":           `{image: REGISTRY/e2e/outgrown:2, lifecycle: {state: Deprecated, successor: own-successor}}`,
	"recalled-for-no-reason":  `{image: REGISTRY/e2e/outgrown:3, lifecycle: {state: Recalled}}`,
	"path-with-an-empty-part": `{image: REGISTRY/e2e//outgrown:4}`,
}

// publishOutgrown names those that the installation to upgrade from admits.
func publishOutgrown(t *testing.T, namespace string) (admitted []string) {
	t.Helper()
	for name, spec := range outgrown {
		manifest := fmt.Sprintf("{apiVersion: imagecatalog.dev/v1alpha1, kind: CatalogImage, metadata: {name: %s}, spec: %s}",
			name, strings.ReplaceAll(spec, "REGISTRY", os.Getenv("REGISTRY")))
		out, err := command(t, manifest, "kubectl", "create", "--namespace", namespace, "--as", "alice", "--as-group", "system:masters", "--filename", "-")
		if err != nil {
			t.Logf("not admitted before either: %s", out)
			continue
		}
		admitted = append(admitted, name)
	}
	return admitted
}

// assertAlive asserts that the controller still writes the status of entries, and that people can label and delete them.
func assertAlive(t *testing.T, namespace string, names []string) {
	t.Helper()
	for _, name := range names {
		assert.EventuallyWithT(t, func(c *assert.CollectT) {
			entry, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Get(t.Context(), name, metav1.GetOptions{})
			require.NoError(c, err)
			assert.Equal(c, "alice", entry.Status.PublishedBy, "which only the present controller writes")
		}, waitTimeout, pollInterval, name)
		mustCommand(t, "kubectl", "label", "--namespace", namespace, "catalogimage", name, "team=boards")
		inTime(t, repositoryRoot, "kubectl delete --cascade=foreground --namespace "+namespace+" catalogimage "+name)
	}
}

func publishOldEntries(t *testing.T, namespace string) {
	t.Helper()
	registry := os.Getenv("REGISTRY")
	push(t, registry+"/e2e/upgrade:1")
	pinned := push(t, registry+"/e2e/upgrade:2")
	push(t, registry+"/e2e/upgrade:3")
	manifests := strings.NewReplacer("REGISTRY", registry, "DIGEST", pinned.DigestStr()).Replace(oldEntries)
	out, err := command(t, manifests, "kubectl", "apply", "--namespace", namespace, "--as", "alice", "--as-group", "system:masters", "--filename", "-")
	require.NoError(t, err, out)
	awaitReady(t, namespace, readyEntries...)
}

// awaitReady waits until the controller has found entries ready as they are now.
func awaitReady(t *testing.T, namespace string, names ...string) {
	t.Helper()
	for _, name := range names {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			entry, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Get(t.Context(), name, metav1.GetOptions{})
			require.NoError(c, err)
			assert.Equal(c, entry.Generation, entry.Status.ObservedGeneration)
			assert.True(c, entry.IsReady(), "%s: %+v", name, entry.Status.Conditions)
		}, waitTimeout, pollInterval)
	}
}

// kept is what an upgrade has no business with.
type kept struct {
	UID, Creator, LastModifier string
	Spec                       any
}

func keptOf(t *testing.T, namespace string, count int) map[string]kept {
	t.Helper()
	var list unstructured.UnstructuredList
	out := mustCommand(t, "kubectl", "get", "catalogimages", "--namespace", namespace, "--output", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	entries := map[string]kept{}
	for _, item := range list.Items {
		entries[item.GetName()] = kept{
			UID:          string(item.GetUID()),
			Creator:      item.GetAnnotations()["imagecatalog.dev/creator"],
			LastModifier: item.GetAnnotations()["imagecatalog.dev/lastModifier"],
			Spec:         item.Object["spec"],
		}
		assert.Equal(t, "alice", entries[item.GetName()].Creator)
	}
	require.Len(t, entries, count)
	return entries
}

// assertInstalled: the cluster has what the release has, to the letter, and nothing else of the catalog.
func assertInstalled(t *testing.T, dir string) {
	t.Helper()
	release := filepath.Join(dir, "release", "image-catalog.yaml")
	differences, err := command(t, "", "kubectl", "diff", "--server-side", "--filename", release)
	assert.NoError(t, err, differences)
	assert.ElementsMatch(t, strings.Fields(mustCommand(t, "kubectl", "get", "--filename", release, "--output", "name")), installed(t))
}

func changeOldEntries(t *testing.T, namespace string) {
	for _, name := range readyEntries {
		mustCommand(t, "kubectl", "patch", "catalogimage", name, "--namespace", namespace, "--type=merge", "--patch", `{"spec":{"displayName":"Changed"}}`)
	}
	awaitReady(t, namespace, readyEntries...)
}

func duplicateOldEntries(t *testing.T, namespace string) {
	for _, name := range append([]string{"absent"}, readyEntries...) {
		original, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		duplicate := entry(namespace, 2)
		duplicate.Spec = original.Spec
		_, err = catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), duplicate, metav1.CreateOptions{})
		assert.ErrorContains(t, err, `already, as "`+name+`"`)
	}
}
