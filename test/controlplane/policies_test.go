//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/signatures"
)

// newSecretPolicy makes a policy for the images of a host of the test's own, with one authority whose key is in a Secret.
func newSecretPolicy(t *testing.T, secret string) *v1alpha1.CatalogPolicy {
	t.Helper()
	return newPolicy(t, newTroubled(t), func(spec *v1alpha1.CatalogPolicySpec) {
		spec.Authorities = []v1alpha1.Authority{{Name: "release", Key: v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: secret}}}}
	})
}

// says waits for what the condition Ready of a policy's status says.
func says(t *testing.T, policy, text string) {
	t.Helper()
	awaitPolicy(t, policy, func(status v1alpha1.CatalogPolicyStatus) bool {
		ready := status.GetCondition(apis.ConditionReady)
		return ready != nil && (text == "" && ready.IsTrue() || text != "" && ready.IsFalse() && ready.Message == text)
	})
}

// A Secret of any type is read when it comes, changes and goes, and the status says what is wrong with it.
func TestTheKeyOfAPolicyFollowsItsSecret(t *testing.T) {
	t.Parallel()
	secrets, name, first, second := kube.CoreV1().Secrets(systemNamespace), "key-of-"+newNamespace(t), signatures.NewKey(t), signatures.NewKey(t)
	p := newSecretPolicy(t, name)
	at := "the Secret " + systemNamespace + "/" + name
	says(t, p.Name, at+" does not exist: make it with cosign generate-key-pair k8s://image-catalog/"+name+
		", or with cosign.pub alone by kubectl create secret generic "+name+" --namespace image-catalog --from-file cosign.pub")

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"cosign.key": "x"}}
	_, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	says(t, p.Name, at+": it has no cosign.pub: put the public key into it under that name")
	put := func(text string) {
		_, err := secrets.Patch(t.Context(), name, types.MergePatchType, []byte(mustJSON(t, map[string]any{"stringData": map[string]string{"cosign.pub": text}})), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	put("ssh-ed25519 AAAA")
	says(t, p.Name, at+": cosign.pub is no public key: there is no PEM block where key 1 should begin: put the PEM into it that cosign public-key prints")
	for _, signer := range []signatures.Signer{first, second} {
		put(signer.PEM)
		awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool {
			return status.GetCondition(apis.ConditionReady).IsTrue() && len(status.Keys) == 1 && status.Keys[0].Data == signer.PEM
		})
	}
	require.NoError(t, secrets.Delete(t.Context(), name, metav1.DeleteOptions{}))
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool {
		return status.GetCondition(apis.ConditionReady).IsFalse() && len(status.Keys) == 0
	})
}

// Somebody who changes a policy all the time does not keep its key from being read.
func TestAStatusIsWrittenThroughConflicts(t *testing.T) {
	t.Parallel()
	secrets, name, policies := kube.CoreV1().Secrets(systemNamespace), "key-of-"+newNamespace(t), catalog.ImagecatalogV1alpha1().CatalogPolicies()
	p := newSecretPolicy(t, name)
	_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, secrets.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}))
	})
	ctx, stop := context.WithCancel(t.Context())
	var labelling sync.WaitGroup
	for worker := range 2 {
		labelling.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, _ = policies.Patch(ctx, p.Name, types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"labels": {"worker-%d": "%d"}}}`, worker, n), metav1.PatchOptions{})
				time.Sleep(pause / 2)
			}
		})
	}
	for range 20 {
		signer := signatures.NewKey(t)
		_, err := secrets.Patch(t.Context(), name, types.MergePatchType, []byte(mustJSON(t, map[string]any{"stringData": map[string]string{"cosign.pub": signer.PEM}})), metav1.PatchOptions{})
		require.NoError(t, err)
		awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool {
			return len(status.Keys) == 1 && status.Keys[0].Data == signer.PEM
		})
	}
	stop()
	labelling.Wait()
}

// The status of a policy counts; however many entries change, it is written every other second at most, and not at all when
// nothing changes, not even by a controller that starts anew.
func TestAPolicyCountsItsEntries(t *testing.T) {
	count, _ := campaign(0, 0)
	on := newTroubled(t)
	p := newPolicy(t, on, func(spec *v1alpha1.CatalogPolicySpec) {
		spec.RequiredMetadata = []v1alpha1.MetadataField{v1alpha1.FieldDistro}
	})
	policies := catalog.ImagecatalogV1alpha1().CatalogPolicies()
	writes, began := countWrites(t, p), time.Now()
	published, _ := on.put(t, count, v1alpha1.DefaultCheckInterval)
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool {
		return status.Selected == int64(count) && status.Satisfied == 0 && len(status.Unsatisfied) == v1alpha1.MaxUnsatisfied &&
			status.Unsatisfied[0] == v1alpha1.UnsatisfiedEntry{Namespace: published.namespace, Name: "autosd-0", Reason: "MetadataMissing"}
	})
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(published.namespace)
	_, err := change(t, entries, "autosd-0", func(entry *v1alpha1.CatalogImage) { entry.Spec.Metadata.Distro = "autosd" })
	require.NoError(t, err)
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool { return status.Satisfied == 1 })
	assert.Positive(t, writes.Load())
	assert.LessOrEqual(t, writes.Load(), int64(time.Since(began)/(2*time.Second))+2)

	before, err := policies.Get(t.Context(), p.Name, metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, installed.Controller.Stop())
	require.NoError(t, installed.Controller.Start(t.Context()))
	require.NoError(t, entries.Delete(t.Context(), "autosd-1", metav1.DeleteOptions{}))
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool { return status.Selected == int64(count)-1 })
	after, err := policies.Get(t.Context(), p.Name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, 1, after.Status.Satisfied)
	assert.Equal(t, before.Status.Conditions, after.Status.Conditions)
}

// countWrites counts the writes of a policy from now on.
func countWrites(t *testing.T, p *v1alpha1.CatalogPolicy) *atomic.Int64 {
	t.Helper()
	watch, err := catalog.ImagecatalogV1alpha1().CatalogPolicies().Watch(t.Context(),
		metav1.ListOptions{FieldSelector: "metadata.name=" + p.Name, ResourceVersion: p.ResourceVersion})
	require.NoError(t, err)
	var writes atomic.Int64
	go func() {
		for range watch.ResultChan() {
			writes.Add(1)
		}
	}()
	t.Cleanup(watch.Stop)
	return &writes
}

// The policy in config/README.md is admitted as it stands there, and says something about everything.
func TestThePolicyInTheDocumentation(t *testing.T) {
	readme, err := os.ReadFile("../../config/README.md")
	require.NoError(t, err)
	example := regexp.MustCompile(`(?s)kubectl apply --filename - <<YAML\n(    apiVersion: imagecatalog.dev/v1alpha1\n    kind: CatalogPolicy\n.*?)\n    YAML\n`).FindSubmatch(readme)
	require.NotNil(t, example)
	manifest := strings.ReplaceAll("\n"+string(example[1]), "\n    ", "\n")
	require.NoError(t, kubectl(t.Context(), manifest, "apply", "--dry-run=server", "--validate=strict", "--filename", "-"))
	for field := range schemaIn(t, "300-catalogpolicy.yaml").Properties["spec"].Properties {
		assert.Contains(t, manifest, "\n  "+field+":")
	}
}

// With the webhook gone a policy that is in the way can go, guards and all.
func TestAPolicyCanGoWithoutTheWebhook(t *testing.T) {
	policies := catalog.ImagecatalogV1alpha1().CatalogPolicies()
	p, err := policies.Create(t.Context(), &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "going-", Finalizers: []string{"example.com/guard"}},
		Spec: v1alpha1.CatalogPolicySpec{
			Images: []v1alpha1.ImagePattern{{Glob: "registry.example.com/going/*"}}, RequiredMetadata: []v1alpha1.MetadataField{v1alpha1.FieldDistro},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, webhook := range installed.Webhooks {
		require.NoError(t, webhook.Stop())
	}
	t.Cleanup(func() {
		for _, webhook := range installed.Webhooks {
			assert.NoError(t, webhook.Start(context.WithoutCancel(t.Context())))
		}
		assert.NoError(t, installed.AwaitWebhook(context.WithoutCancel(t.Context())))
	})
	require.NoError(t, kubectl(t.Context(), "", "delete", "catalogpolicy", p.Name, "--wait=false"))
	require.NoError(t, kubectl(t.Context(), "", "patch", "catalogpolicy", p.Name, "--type", "merge", "--patch", `{"metadata": {"finalizers": null}}`))
	_, err = policies.Get(t.Context(), p.Name, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), err)
}
