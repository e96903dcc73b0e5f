//go:build controlplane

package controlplane

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

// claimsIn are the claims on images of a namespace.
func claimsIn(t *testing.T, namespace string) (found []coordinationv1.Lease) {
	t.Helper()
	list, err := kube.CoordinationV1().Leases(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: claim.Selector})
	require.NoError(t, err)
	for _, lease := range list.Items {
		if lease.Annotations[claim.NamespaceAnnotation] == namespace {
			found = append(found, lease)
		}
	}
	return found
}

// What somebody does to a claim by hand is mended at once, not at the next check of the entry, which is an hour away.
func TestAClaimThatWasTamperedWithHeals(t *testing.T) {
	leases := kube.CoordinationV1().Leases(systemNamespace)
	for name, tamper := range map[string]func(lease *coordinationv1.Lease){
		"deleted":              nil,
		"held by another name": func(lease *coordinationv1.Lease) { *lease.Spec.HolderIdentity = "somebody-else" },
		"held by nobody":       func(lease *coordinationv1.Lease) { lease.Spec.HolderIdentity = nil },
		"without labels":       func(lease *coordinationv1.Lease) { lease.Labels = nil },
		"without annotations":  func(lease *coordinationv1.Lease) { lease.Annotations = nil },
		"of another identity": func(lease *coordinationv1.Lease) {
			lease.Annotations[claim.IdentityAnnotation] = "quay.io/acme/other:1"
		},
		"of another namespace": func(lease *coordinationv1.Lease) { lease.Annotations[claim.NamespaceAnnotation] = "default" },
		"of the future, pending": func(lease *coordinationv1.Lease) {
			*lease.Spec.HolderIdentity, lease.Labels[claim.StateLabel] = "nobody", "pending"
			lease.Spec.AcquireTime = &metav1.MicroTime{Time: time.Now().AddDate(10, 0, 0)}
		},
		"filed under another": func(lease *coordinationv1.Lease) { lease.Labels[claim.HolderLabel] = "somebody-else" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
			entry, err := entries.Create(t.Context(), newEntry("autosd", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
			require.NoError(t, err)
			waitForCondition(t, entries, "autosd", v1alpha1.ConditionUnique, "True")
			wanted, err := claim.Of(entry)
			require.NoError(t, err)
			lease, err := leases.Get(t.Context(), wanted.LeaseName(), metav1.GetOptions{})
			require.NoError(t, err)
			before := lease.DeepCopy()

			if tamper == nil {
				require.NoError(t, leases.Delete(t.Context(), lease.Name, metav1.DeleteOptions{}))
			} else {
				tamper(lease)
				_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
				require.NoError(t, err)
			}
			err = wait.PollUntilContextTimeout(t.Context(), pause, patience, true, func(ctx context.Context) (bool, error) {
				lease, err = leases.Get(ctx, before.Name, metav1.GetOptions{})
				return err == nil && assert.ObjectsAreEqual(facts(before), facts(lease)), nil
			})
			require.NoError(t, err, "the claim was %v and is %v", facts(before), facts(lease))
			_, err = entries.Create(t.Context(), newEntry("second", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
			assert.ErrorContains(t, err, `already, as "autosd"`)
		})
	}
}

// facts of a claim are what is the same before and after it was taken back.
func facts(lease *coordinationv1.Lease) map[string]any {
	return map[string]any{"labels": lease.Labels, "annotations": lease.Annotations, "holder": claim.Holder(lease)}
}
