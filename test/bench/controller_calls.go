package main

import (
	"context"
	"fmt"
	"maps"
	"math"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
	"imagecatalog.dev/catalog/test/plane"
)

// controllerAccount is the controller's service account. By the same name the API server knows who wrote which fields.
const controllerAccount = "controller"

// firstCheck is what was stored because of the first check of an entry.
type firstCheck struct {
	entry *v1alpha1.CatalogImage
	claim *coordinationv1.Lease // adopted
	event *corev1.Event
}

// callAll has a client ask the API server for what first checks ask it for, when all is as it was before those.
func (c *controllerBench) callAll(ctx context.Context, r *controllerResults) error {
	checks, err := c.firstChecksStored(ctx)
	if err != nil {
		return err
	}
	if err := c.undo(ctx, checks); err != nil {
		return fmt.Errorf("undoing the first checks: %w", err)
	}
	caller, err := c.newFirstCaller(ctx)
	if err != nil {
		return err
	}
	before, err := c.read(ctx)
	if err != nil {
		return err
	}
	if r.called, err = once(ctx, reconcilers, checks, caller.call); err != nil {
		return err
	}
	after, err := c.read(ctx)
	if err != nil {
		return err
	}
	r.calling = after.since(before)
	return sameCalls(r.first.calls, r.calling.calls, r.entries)
}

// firstChecksStored finds what was stored because of the first checks.
func (c *controllerBench) firstChecksStored(ctx context.Context) ([]*firstCheck, error) {
	entries, err := c.available(ctx)
	if err != nil {
		return nil, err
	}
	claims, err := c.claims(ctx)
	if err != nil {
		return nil, err
	}
	events, err := c.events(ctx)
	if err != nil {
		return nil, err
	}
	checks := make([]*firstCheck, len(entries))
	for n, entry := range entries {
		wanted, err := claim.Of(entry)
		if err != nil {
			return nil, err
		}
		checks[n] = &firstCheck{entry: entry, claim: claims[wanted.LeaseName()], event: events[entry.Name]}
		if checks[n].claim == nil || checks[n].event == nil {
			return nil, fmt.Errorf("%s has no claim, or no Event tells of it", entry.Name)
		}
	}
	return checks, nil
}

// claims are those on all images, by the names of their Leases.
func (c *controllerBench) claims(ctx context.Context) (map[string]*coordinationv1.Lease, error) {
	list, err := c.Kube.CoordinationV1().Leases(plane.SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: claim.Selector})
	if err != nil {
		return nil, err
	}
	claims := map[string]*coordinationv1.Lease{}
	for n := range list.Items {
		claims[list.Items[n].Name] = &list.Items[n]
	}
	return claims, nil
}

// events are those that tell of the entries, by the names of these.
func (c *controllerBench) events(ctx context.Context) (map[string]*corev1.Event, error) {
	list, err := c.Kube.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	events := map[string]*corev1.Event{}
	for n := range list.Items {
		events[list.Items[n].InvolvedObject.Name] = &list.Items[n]
	}
	return events, nil
}

// undo makes entries unchecked, their claims pending, as the webhook wrote them, and their Events untold. No controller may
// run.
func (c *controllerBench) undo(ctx context.Context, checks []*firstCheck) error {
	_, err := once(ctx, reconcilers, checks, func(ctx context.Context, check *firstCheck) error {
		unchecked := check.entry.DeepCopy()
		unchecked.Status = v1alpha1.CatalogImageStatus{}
		if _, err := c.catalogImages().UpdateStatus(ctx, unchecked, metav1.UpdateOptions{}); err != nil {
			return err
		}
		if err := c.Kube.CoreV1().Events(c.namespace).Delete(ctx, check.event.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
		pending := check.claim.DeepCopy()
		pending.Labels[claim.StateLabel] = "pending"
		pending, err := c.Kube.CoordinationV1().Leases(pending.Namespace).Update(ctx, pending, metav1.UpdateOptions{FieldManager: "webhook"})
		if err == nil {
			check.claim.ResourceVersion = pending.ResourceVersion
		}
		return err
	})
	return err
}

// firstCaller asks the API server for what the controller asks it for at first checks, and knows beforehand what to write.
// It is the controller to the API server: authorization, flow control and the audit log take its calls as they take the
// controller's.
type firstCaller struct {
	kube    kubernetes.Interface
	catalog versioned.Interface
}

func (c *controllerBench) newFirstCaller(ctx context.Context) (*firstCaller, error) {
	token, err := c.Kube.CoreV1().ServiceAccounts(plane.SystemNamespace).CreateToken(ctx, controllerAccount,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("getting a token of the controller: %w", err)
	}
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken, config.UserAgent = token.Status.Token, controllerAccount
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	catalog, err := versioned.NewForConfig(config)
	return &firstCaller{kube, catalog}, err
}

// call makes the calls of one first check, in the controller's order.
func (f *firstCaller) call(ctx context.Context, check *firstCheck) error {
	entries := f.catalog.ImagecatalogV1alpha1().CatalogImages(check.entry.Namespace)
	live, err := entries.Get(ctx, check.entry.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	now := metav1.NowMicro()
	check.claim.Spec.AcquireTime = &now
	if _, err := f.kube.CoordinationV1().Leases(check.claim.Namespace).Update(ctx, check.claim, metav1.UpdateOptions{}); err != nil {
		return err
	}
	event := check.event.DeepCopy()
	event.ObjectMeta = metav1.ObjectMeta{Namespace: event.Namespace, Name: event.Name}
	if _, err := f.kube.CoreV1().Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{}); err != nil {
		return err
	}
	live.Status = check.entry.Status
	_, err = entries.UpdateStatus(ctx, live, metav1.UpdateOptions{})
	return err
}

// sameCalls is an error when first checks ask the API server for something else than what they are compared with does.
func sameCalls(first, called map[string]float64, entries float64) error {
	if ours, theirs := ofEach(first, entries), ofEach(called, entries); !maps.Equal(ours, theirs) {
		return fmt.Errorf("a first check makes the calls %v, and is compared with %v", ours, theirs)
	}
	return nil
}

// ofEach leaves out what is not done for each entry.
func ofEach(calls map[string]float64, entries float64) map[string]float64 {
	each := map[string]float64{}
	for call, count := range calls {
		if times := math.Round(count / entries); times > 0 {
			each[call] = times
		}
	}
	return each
}
