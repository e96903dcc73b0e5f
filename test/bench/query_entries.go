package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/test/plane"
)

const (
	fillers     = 32 // create at a time
	readerName  = "bench-reader"
	namespaceOf = "team-%d" // of synthesized entries, 50 of them
)

// welcomeReader makes an account that may see every entry, and keeps a token of it.
func (q *queryBench) welcomeReader(ctx context.Context) error {
	accounts := q.Kube.CoreV1().ServiceAccounts(plane.SystemNamespace)
	_, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: readerName}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = q.Kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: readerName},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "imagecatalog-view"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: plane.SystemNamespace, Name: readerName}},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	hour := int64(3600 * 3)
	token, err := accounts.CreateToken(ctx, readerName,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("getting a token: %w", err)
	}
	q.token = "Bearer " + token.Status.Token
	return nil
}

// fill stores the entries as they are when the controller has looked at them. It does so without the webhook: what is
// measured is not admission.
func (q *queryBench) fill(ctx context.Context) error {
	for n := range 50 {
		_, err := q.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf(namespaceOf, n)}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	began := time.Now()
	err := q.WithoutWebhook(ctx, func() error {
		group, ctx := errgroup.WithContext(ctx)
		for filler := range fillers {
			group.Go(func() error { return q.fillEvery(ctx, filler) })
		}
		return group.Wait()
	})
	q.progress.Printf("query: storing %d entries took %s", q.entries, time.Since(began).Round(time.Second))
	return err
}

func (q *queryBench) fillEvery(ctx context.Context, filler int) error {
	for n := filler; n < q.entries; n += fillers {
		wanted := entry(n)
		wanted.UID, wanted.ResourceVersion, wanted.Labels = "", "", wanted.FacetLabels()
		entries := q.Catalog.ImagecatalogV1alpha1().CatalogImages(wanted.Namespace)
		stored, err := entries.Create(ctx, wanted, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("storing an entry: %w", err)
		}
		stored.Status = wanted.Status
		if _, err := entries.UpdateStatus(ctx, stored, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("storing a status: %w", err)
		}
	}
	return nil
}

func (q *queryBench) clean(ctx context.Context) error {
	var errs []error
	for n := range 50 {
		entries := q.Catalog.ImagecatalogV1alpha1().CatalogImages(fmt.Sprintf(namespaceOf, n))
		errs = append(errs, entries.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	}
	return errors.Join(errs...)
}

// listAll reads the list of all entries, and counts on nothing in it.
func (q *queryBench) listAll(ctx context.Context) error {
	body, err := q.Catalog.ImagecatalogV1alpha1().RESTClient().Get().AbsPath("/apis/imagecatalog.dev/v1alpha1/catalogimages").Stream(ctx)
	if err != nil {
		return fmt.Errorf("listing all entries: %w", err)
	}
	_, err = io.Copy(io.Discard, body)
	return errors.Join(err, body.Close())
}

// write has many clients change labels of entries until it is stopped.
func (q *queryBench) write(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var group errgroup.Group
	var written atomic.Int64
	began := time.Now()
	for writer := range busyWriters {
		group.Go(func() error {
			for n := writer; ctx.Err() == nil; n = (n + busyWriters) % q.entries {
				patch := fmt.Appendf(nil, `{"metadata": {"labels": {"bench": "%d"}}}`, written.Add(1))
				of := entry(n)
				_, err := q.Catalog.ImagecatalogV1alpha1().CatalogImages(of.Namespace).Patch(ctx, of.Name, types.MergePatchType, patch, metav1.PatchOptions{})
				if err != nil && ctx.Err() == nil {
					return fmt.Errorf("changing an entry: %w", err)
				}
			}
			return nil
		})
	}
	return func() error {
		cancel()
		err := group.Wait()
		q.progress.Printf("query: %.0f changes a second meanwhile", float64(written.Load())/time.Since(began).Seconds())
		return err
	}
}
