//go:build controlplane

package controlplane

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/signatures"
)

// gate is the program of the Task catalog-verify, as the service account reader of a namespace runs it.
type gate struct{ namespace, program, kubeconfig, registries string }

const samplesOfVerify = "../../tasks/catalog-verify/0.1/samples/"

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{namespace: newNamespace(t), program: filepath.Join(t.TempDir(), "verify"), registries: t.TempDir()}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", g.program, "../../cmd/verify").CombinedOutput()
	require.NoError(t, err, string(out))
	hosts := "127.0.0.1: {plainHTTP: true, privateAddresses: true}"
	require.NoError(t, os.WriteFile(filepath.Join(g.registries, "hosts"), []byte(hosts), 0o600))

	token, _ := newToken(t, g.namespace, "reader")
	access := clientcmdapi.NewConfig()
	access.Clusters["here"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData, CertificateAuthority: config.CAFile}
	access.AuthInfos["reader"] = &clientcmdapi.AuthInfo{Token: token}
	access.Contexts["here"] = &clientcmdapi.Context{Cluster: "here", AuthInfo: "reader"}
	access.CurrentContext = "here"
	g.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*access, g.kubeconfig))
	return g
}

// bind applies the sample that lets the service account read the whole catalog.
func (g *gate) bind(t *testing.T) {
	t.Helper()
	sample, err := os.ReadFile(samplesOfVerify + "policy-reader.yaml")
	require.NoError(t, err)
	require.Contains(t, string(sample), "name: my-builds-reader")
	binding := strings.ReplaceAll(string(sample), "my-builds", g.namespace)
	require.NoError(t, kubectl(t.Context(), binding, "apply", "-f", "-"))
	t.Cleanup(func() {
		assert.NoError(t, kubectl(context.WithoutCancel(t.Context()), binding, "delete", "-f", "-"))
	})
}

// run gives the exit code, the result REASON and what was said.
func (g *gate) run(t *testing.T, params ...string) (code int, reason, said string) {
	t.Helper()
	results := t.TempDir()
	command := exec.CommandContext(t.Context(), g.program, append(params, "--registries="+g.registries, "--results="+results)...)
	command.Env = []string{"KUBECONFIG=" + g.kubeconfig, "HOME=" + results}
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	content, err := os.ReadFile(filepath.Join(results, "REASON"))
	require.NoError(t, err, string(out))
	return command.ProcessState.ExitCode(), string(content), string(out)
}

// The gate of a pipeline reads policies and entries with the rights that the sample grants, and says what the catalog says.
func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	forbidden := newPolicy(t, newTroubled(t), wants(signatures.NewKey(t)))
	code, reason, said := g.run(t, "--image-url=127.0.0.1:1/acme/os:1", "--policy="+forbidden.Name)
	assert.Equal(t, 2, code, said)
	assert.Equal(t, "CatalogForbidden", reason)
	assert.Contains(t, said, "grant it the role imagecatalog-view by a ClusterRoleBinding")

	g.bind(t)
	t.Run("by a policy", g.byAPolicy)
	t.Run("by a key in a Secret", g.byAKeyInASecret)
	t.Run("for a recalled entry", g.forARecalledEntry)
}

func (g *gate) byAPolicy(t *testing.T) {
	on, signer := newTroubled(t), signatures.NewKey(t)
	p := newPolicy(t, on, wants(signer))
	published, _ := on.put(t, 1, v1alpha1.DefaultCheckInterval)
	params := []string{"--image-url=" + on.tagged("0"), "--policy=" + p.Name}

	code, reason, said := g.run(t, params...)
	assert.Equal(t, 1, code, said)
	assert.Equal(t, "Unsigned", reason)
	published.await(t, 1, isRefused("Unsigned"))

	signer.Attach(t, on.digest(t))
	for _, way := range [][]string{params, {"--name=autosd-0", "--namespace=" + published.namespace, "--policy=" + p.Name}} {
		code, reason, said = g.run(t, way...)
		assert.Zero(t, code, said)
		assert.Equal(t, "Verified", reason)
		assert.Contains(t, said, p.Name+": signature: "+on.digest(t).DigestStr()+": team-0: signed with the key")
	}

	code, reason, said = g.run(t, "--image-url="+on.tagged("0"), "--policy=absent")
	assert.Equal(t, 1, code, said)
	assert.Equal(t, "PolicyNotFound", reason)
}

// The key is in a Secret of the catalog's namespace, which the gate may not read; one of the same name in its own namespace
// counts for nothing.
func (g *gate) byAKeyInASecret(t *testing.T) {
	on, signer := newTroubled(t), signatures.NewKey(t)
	p := newPolicy(t, on, func(spec *v1alpha1.CatalogPolicySpec) {
		spec.Authorities = []v1alpha1.Authority{{Name: "team", Key: v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: g.namespace}}}}
	})
	on.put(t, 1, v1alpha1.DefaultCheckInterval)
	signer.Attach(t, on.digest(t))
	params := []string{"--image-url=" + on.tagged("0"), "--policy=" + p.Name}
	put := func(namespace string) {
		_, err := kube.CoreV1().Secrets(namespace).Create(t.Context(),
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: g.namespace}, Data: map[string][]byte{"cosign.pub": []byte(signer.PEM)}}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	put(g.namespace)
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool { return status.ObservedGeneration > 0 })
	code, reason, said := g.run(t, params...)
	assert.Equal(t, 2, code, said)
	assert.Equal(t, v1alpha1.ReasonKeyUnavailable, reason)

	put(systemNamespace)
	t.Cleanup(func() {
		assert.NoError(t, kube.CoreV1().Secrets(systemNamespace).Delete(context.WithoutCancel(t.Context()), g.namespace, metav1.DeleteOptions{}))
	})
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool { return len(status.Keys) == 1 })
	code, _, said = g.run(t, params...)
	assert.Zero(t, code, said)
}

// A recalled entry passes no gate, and the gate says why and what to take instead.
func (g *gate) forARecalledEntry(t *testing.T) {
	on := newTroubled(t)
	published, _ := on.publish(t, 1, v1alpha1.DefaultCheckInterval)
	params := []string{"--name=autosd-0", "--namespace=" + published.namespace}
	code, _, said := g.run(t, params...)
	require.Zero(t, code, said)

	require.NoError(t, kubectl(t.Context(), "", "patch", "cimg", "autosd-0", "--namespace", published.namespace, "--type=merge",
		`--patch={"spec": {"lifecycle": {"state": "Recalled", "reason": "CVE-2026-1", "successor": "autosd-1"}}}`))
	code, reason, said := g.run(t, params...)
	assert.Equal(t, 1, code, said)
	assert.Equal(t, "Recalled", reason)
	assert.Contains(t, said, "is recalled (CVE-2026-1): use autosd-1")
}
