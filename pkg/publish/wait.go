package publish

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// pollInterval is short against the start of a pod and long against a read of the API server.
const pollInterval = 500 * time.Millisecond

// wait reads the entry until the controller has judged it as it is written now. It gives the entry as last seen, also
// beside an error. Reading again, not watching, keeps the rights that the Task needs down to three verbs.
func (p *Publisher) wait(ctx context.Context, name string, condition apis.ConditionType) (*v1alpha1.CatalogImage, error) {
	var entry *v1alpha1.CatalogImage
	var trouble error
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		latest, err := p.Entries.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return false, refused(fmt.Errorf("waiting for %s: %w", condition, err), "Publish again if the entry should be there.")
		}
		if trouble = err; err != nil {
			return false, nil //nolint:nilerr // the API server may be back for the next read
		}
		entry = latest
		return judged(entry, condition)
	})
	if wait.Interrupted(err) {
		err = undecided(fmt.Errorf("waiting for %s took too long; %s", condition, lastSeen(entry, condition, trouble)),
			"The entry is published. See that the catalog's controller runs, or give more TIMEOUT.")
	}
	return entry, err
}

// judged says whether the condition holds; the error is a *Failure when it does not.
func judged(entry *v1alpha1.CatalogImage, condition apis.ConditionType) (bool, error) {
	verdict := current(entry, condition)
	if verdict.IsFalse() {
		return false, refused(
			fmt.Errorf("the entry %s/%s is not %s: %s: %s", entry.Namespace, entry.Name, condition, verdict.Reason, verdict.Message),
			"The entry stays in the catalog and is checked again by itself.")
	}
	return verdict.IsTrue(), nil
}

// current is the condition if it is about the entry as it is written now, else nil.
func current(entry *v1alpha1.CatalogImage, condition apis.ConditionType) *apis.Condition {
	if entry.Status.ObservedGeneration != entry.Generation {
		return nil
	}
	return entry.Status.GetCondition(condition)
}

func lastSeen(entry *v1alpha1.CatalogImage, condition apis.ConditionType, trouble error) string {
	switch {
	case trouble != nil:
		return fmt.Sprintf("the catalog could not be read at last: %v", trouble)
	case entry == nil:
		return "the entry was never read"
	}
	verdict := current(entry, condition)
	if verdict == nil {
		return "the controller has not looked at the entry yet"
	}
	if verdict.Status == corev1.ConditionUnknown && verdict.Reason == "" {
		return fmt.Sprintf("%s was Unknown at last", condition)
	}
	return fmt.Sprintf("%s was %s at last: %s: %s", condition, verdict.Status, verdict.Reason, verdict.Message)
}
