//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/faults"
	"imagecatalog.dev/catalog/test/signatures"
)

// newPolicy makes a policy that is for the images of a registry, and goes with the test.
func newPolicy(t *testing.T, on *troubled, change func(*v1alpha1.CatalogPolicySpec)) *v1alpha1.CatalogPolicy {
	t.Helper()
	p := &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "trust-"},
		Spec:       v1alpha1.CatalogPolicySpec{Images: []v1alpha1.ImagePattern{{Glob: on.Host + "/**"}}},
	}
	change(&p.Spec)
	p, err := catalog.ImagecatalogV1alpha1().CatalogPolicies().Create(t.Context(), p, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, catalog.ImagecatalogV1alpha1().CatalogPolicies().Delete(context.WithoutCancel(t.Context()), p.Name, metav1.DeleteOptions{}))
	})
	return p
}

// wants has a policy want a signature by one of the signers.
func wants(signers ...signatures.Signer) func(*v1alpha1.CatalogPolicySpec) {
	return func(spec *v1alpha1.CatalogPolicySpec) {
		spec.Authorities = nil
		for n, signer := range signers {
			spec.Authorities = append(spec.Authorities, v1alpha1.Authority{Name: fmt.Sprint("team-", n), Key: v1alpha1.KeyRef{Data: signer.PEM}})
		}
	}
}

// changePolicy changes what a policy wants.
func changePolicy(t *testing.T, name string, do func(*v1alpha1.CatalogPolicySpec)) {
	t.Helper()
	policies := catalog.ImagecatalogV1alpha1().CatalogPolicies()
	require.Eventually(t, func() bool {
		p, err := policies.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		do(&p.Spec)
		_, err = policies.Update(t.Context(), p, metav1.UpdateOptions{})
		return err == nil // else the controller wrote the status between
	}, patience, pause)
}

func isVerified(entry *v1alpha1.CatalogImage) bool {
	return entry.Status.GetCondition(v1alpha1.ConditionVerified).IsTrue()
}

// isRefused says whether the policies say that an entry's image is not good, for a reason.
func isRefused(reason string) func(*v1alpha1.CatalogImage) bool {
	return func(entry *v1alpha1.CatalogImage) bool {
		verified := entry.Status.GetCondition(v1alpha1.ConditionVerified)
		return verified.IsFalse() && verified.Reason == reason && entry.Status.GetCondition(v1alpha1.ConditionPolicySatisfied).IsFalse()
	}
}

// digest is that of the one image, of which all tags are.
func (r *troubled) digest(t *testing.T) name.Digest {
	t.Helper()
	found, err := remote.Head(r.direct.Tag("0"))
	require.NoError(t, err)
	return r.direct.Digest(found.Digest.String())
}

// An unsigned image is listed and not verified; signed by somebody, in either form, it becomes verified with nobody touching
// the entry. A signature that is taken away is missed at the next check.
func TestAnImageIsVerifiedWhenItIsSigned(t *testing.T) {
	t.Parallel()
	for form, sign := range map[string]func(signatures.Signer, name.Digest) name.Reference{
		"bundle":         func(s signatures.Signer, image name.Digest) name.Reference { return s.Attach(t, image) },
		"simple signing": func(s signatures.Signer, image name.Digest) name.Reference { return s.Tag(t, image) },
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			on, signer := newTroubled(t), signatures.NewKey(t)
			p := newPolicy(t, on, wants(signer, signatures.NewKey(t)))
			published, _ := on.put(t, 1, v1alpha1.DefaultCheckInterval)
			published.await(t, 1, isRefused("Unsigned"))
			assert.Equal(t, v1alpha1.PhaseFailed, published.one(t).Status.Phase)

			signature := sign(signer, on.digest(t))
			published.await(t, 1, isVerified)
			published.await(t, 1, isAvailable)
			verification := published.one(t).Status.Verification
			assert.Equal(t, []v1alpha1.Signer{{Policy: p.Name, Authority: "team-0", Key: verification.Signers[0].Key}}, verification.Signers)
			assert.Equal(t, v1alpha1.PolicySatisfied, verification.Policies[0].Outcome)

			require.NoError(t, remote.Delete(signature))
			askAll(t, published.namespace)
			published.await(t, 1, isRefused("Unsigned"))
			told := toldIn(t, published.namespace)
			for _, reason := range []string{"PolicyViolated", "Verified", "PolicySatisfied", "NotVerified"} {
				assert.Contains(t, told, "autosd-0 "+reason)
			}
		})
	}
}

// Keys that change are judged from what is kept, without a request, for as many entries as there are.
func TestAChangedKeyAsksNoRegistry(t *testing.T) {
	t.Parallel()
	count, _ := campaign(0, 0)
	on, old, renewed := newTroubled(t), signatures.NewKey(t), signatures.NewKey(t)
	p := newPolicy(t, on, wants(old))
	published, _ := on.put(t, count, v1alpha1.DefaultCheckInterval)
	published.await(t, count, isRefused("Unsigned"))
	old.Attach(t, on.digest(t))
	renewed.Tag(t, on.digest(t))
	askAll(t, published.namespace)
	published.await(t, count, func(entry *v1alpha1.CatalogImage) bool {
		answered := entry.Status.CheckRequest // by nothing else: the next request would be that of this check
		return isVerified(entry) && answered != nil && answered.RequestedAt == entry.Annotations[v1alpha1.CheckRequestedAtAnnotation]
	})

	before := published.one(t).Status.Verification.Signers

	on.Forget()
	began := time.Now()
	changePolicy(t, p.Name, wants(renewed))
	published.await(t, count, func(entry *v1alpha1.CatalogImage) bool {
		return isVerified(entry) && entry.Status.Verification.Signers[0].Key != before[0].Key
	})
	took := time.Since(began)
	assert.Empty(t, on.Log())
	changePolicy(t, p.Name, wants(signatures.NewKey(t)))
	published.await(t, count, isRefused("KeyMismatch"))
	t.Logf("%d entries judged by another key in %s, without a request", count, took.Round(time.Millisecond))
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool {
		return status.Selected == int64(count) && status.Satisfied == 0 && len(status.Unsatisfied) == v1alpha1.MaxUnsatisfied
	})
}

// A policy that asks for an approval hears of one that comes, and of one that is withdrawn.
func TestAnApprovalByALabelIsJudgedAtOnce(t *testing.T) {
	t.Parallel()
	on := newTroubled(t)
	newPolicy(t, on, func(spec *v1alpha1.CatalogPolicySpec) {
		spec.Validations = []v1alpha1.Validation{{Expression: "'approved' in entry.metadata.labels", Message: "nobody has approved it"}}
	})
	published, _ := on.put(t, 1, v1alpha1.DefaultCheckInterval)
	satisfied := func(is bool) func(*v1alpha1.CatalogImage) bool {
		return func(entry *v1alpha1.CatalogImage) bool {
			found := entry.Status.GetCondition(v1alpha1.ConditionPolicySatisfied)
			return is && found.IsTrue() || !is && found.IsFalse()
		}
	}
	published.await(t, 1, satisfied(false))
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(published.namespace)
	for _, approved := range []bool{true, false} {
		patch := `{"metadata": {"labels": {"approved": null}}}`
		if approved {
			patch = `{"metadata": {"labels": {"approved": "yes"}}}`
		}
		_, err := entries.Patch(t.Context(), "autosd-0", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
		published.await(t, 1, satisfied(approved))
	}
}

// An outage flips no verdict, also when the controller starts anew in it.
func TestAnOutageFlipsNoVerdict(t *testing.T) {
	on, signer := newTroubled(t), signatures.NewKey(t)
	newPolicy(t, on, wants(signer))
	published, _ := on.put(t, 3, v1alpha1.DefaultCheckInterval)
	published.await(t, 3, isRefused("Unsigned"))
	signer.Attach(t, on.digest(t))
	askAll(t, published.namespace)
	published.await(t, 3, isVerified)
	published.forbid(func(entry *v1alpha1.CatalogImage) string {
		if isVerified(entry) && isAvailable(entry) {
			return ""
		}
		return "it lost its standing"
	})
	require.NoError(t, installed.Controller.Stop())
	on.Inject(faults.Status(http.StatusServiceUnavailable))
	require.NoError(t, installed.Controller.Start(t.Context()))
	askAll(t, published.namespace)
	published.await(t, 3, isNotFresh("RegistryUnavailable"))
	t.Parallel() // what follows only waits, as other tests do
	on.Inject()
	published.await(t, 3, isFresh)
	_, complaints := published.end()
	assert.Empty(t, complaints)
}

// A policy is for the entries of those namespaces that it selects, and for no other repository that looks alike.
func TestAPolicySelectsByRepositoryAndNamespace(t *testing.T) {
	t.Parallel()
	on := newTroubled(t)
	published, _ := on.put(t, 1, v1alpha1.DefaultCheckInterval)
	published.await(t, 1, isAvailable)
	newPolicy(t, on, func(spec *v1alpha1.CatalogPolicySpec) {
		spec.RequiredMetadata = []v1alpha1.MetadataField{v1alpha1.FieldDistro}
		spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusted": published.namespace}}
	})
	newPolicy(t, on, func(spec *v1alpha1.CatalogPolicySpec) {
		spec.Images[0].Glob = strings.ReplaceAll(on.Host, ":", ".evil.example:") + "/**"
		spec.RequiredMetadata = []v1alpha1.MetadataField{v1alpha1.FieldDistro}
	})
	label(t, published.namespace, "trusted", published.namespace)
	published.await(t, 1, func(entry *v1alpha1.CatalogImage) bool {
		return entry.Status.Phase == v1alpha1.PhaseFailed && len(entry.Status.Verification.Policies) == 1
	})
	_, err := change(t, catalog.ImagecatalogV1alpha1().CatalogImages(published.namespace), "autosd-0", func(entry *v1alpha1.CatalogImage) {
		entry.Spec.Metadata.Distro = "autosd"
	})
	require.NoError(t, err)
	published.await(t, 1, isAvailable)
	label(t, published.namespace, "trusted", "no")
	published.await(t, 1, func(entry *v1alpha1.CatalogImage) bool { return entry.Status.Verification == nil })
}

func label(t *testing.T, namespace, key, value string) {
	t.Helper()
	_, err := kube.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, key, value), metav1.PatchOptions{})
	require.NoError(t, err)
}

// The key of a policy is in a Secret that comes later, and goes.
func TestAKeyIsInASecret(t *testing.T) {
	t.Parallel()
	on, signer := newTroubled(t), signatures.NewKey(t)
	secret := "key-" + strings.TrimPrefix(newNamespace(t), "test-")
	p := newPolicy(t, on, func(spec *v1alpha1.CatalogPolicySpec) {
		spec.Authorities = []v1alpha1.Authority{{Name: "team", Key: v1alpha1.KeyRef{SecretRef: &v1alpha1.SecretRef{Name: secret}}}}
	})
	published, _ := on.put(t, 1, v1alpha1.DefaultCheckInterval)
	signer.Attach(t, on.digest(t))
	published.await(t, 1, func(entry *v1alpha1.CatalogImage) bool {
		return entry.Status.GetCondition(v1alpha1.ConditionPolicySatisfied).GetReason() == v1alpha1.ReasonKeyUnavailable
	})
	secrets := kube.CoreV1().Secrets(systemNamespace)
	_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret}, Data: map[string][]byte{"cosign.pub": []byte(signer.PEM)}}, metav1.CreateOptions{})
	require.NoError(t, err)
	published.await(t, 1, isVerified)
	awaitPolicy(t, p.Name, func(status v1alpha1.CatalogPolicyStatus) bool { return status.Satisfied == 1 && status.Selected == 1 })
	require.NoError(t, secrets.Delete(t.Context(), secret, metav1.DeleteOptions{}))
	published.await(t, 1, func(entry *v1alpha1.CatalogImage) bool { return !isVerified(entry) })
}

func awaitPolicy(t *testing.T, name string, want func(v1alpha1.CatalogPolicyStatus) bool) {
	t.Helper()
	var last v1alpha1.CatalogPolicyStatus
	assert.Eventually(t, func() bool {
		p, err := catalog.ImagecatalogV1alpha1().CatalogPolicies().Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		last = p.Status
		return want(last)
	}, patience, pause, "%+v", &last)
}
