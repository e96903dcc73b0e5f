package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	certresources "knative.dev/pkg/webhook/certificates/resources"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/plane"
)

// emptyWebhooks are a mutating and a validating webhook that do nothing. The API server asks them about the same
// requests as the catalog's, by the same Service, with the same certificate.
type emptyWebhooks struct {
	*process
	plane      *plane.Plane
	dir        string // of the certificate
	mutating   *admissionregistrationv1.MutatingWebhookConfiguration
	validating *admissionregistrationv1.ValidatingWebhookConfiguration
}

// newEmptyWebhooks starts them; the API server does not ask them yet. Whoever makes them closes them.
func newEmptyWebhooks(ctx context.Context, p *plane.Plane) (*emptyWebhooks, error) {
	e := &emptyWebhooks{plane: p}
	if err := e.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting webhooks that do nothing: %w", err), e.close())
	}
	return e, nil
}

func (e *emptyWebhooks) begin(ctx context.Context) error {
	if err := e.keepCertificate(ctx); err != nil {
		return err
	}
	var err error
	if e.process, err = start(ctx, "-admit", e.dir); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(e.address)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return err
	}
	return e.configure(ctx, int32(number))
}

// keepCertificate writes that of the catalog's webhook where a server can read it.
func (e *emptyWebhooks) keepCertificate(ctx context.Context) (err error) {
	if e.dir, err = os.MkdirTemp("", "catalog-bench-"); err != nil {
		return err
	}
	secret, err := e.plane.Kube.CoreV1().Secrets(plane.SystemNamespace).Get(ctx, "webhook-certs", metav1.GetOptions{})
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(e.dir, "tls.crt"), secret.Data[certresources.ServerCert], 0o600),
		os.WriteFile(filepath.Join(e.dir, "tls.key"), secret.Data[certresources.ServerKey], 0o600),
	)
}

// configure takes the catalog's configurations, whose rules the webhook has written, to another port.
func (e *emptyWebhooks) configure(ctx context.Context, port int32) error {
	admission := e.plane.Kube.AdmissionregistrationV1()
	mutating, err := admission.MutatingWebhookConfigurations().Get(ctx, "defaulting.webhook.imagecatalog.dev", metav1.GetOptions{})
	if err != nil {
		return err
	}
	validating, err := admission.ValidatingWebhookConfigurations().Get(ctx, "validation.webhook.imagecatalog.dev", metav1.GetOptions{})
	if err != nil {
		return err
	}
	mutating.ObjectMeta = metav1.ObjectMeta{Name: "mutating.bench.imagecatalog.dev"}
	validating.ObjectMeta = metav1.ObjectMeta{Name: "validating.bench.imagecatalog.dev"}
	for n := range mutating.Webhooks {
		mutating.Webhooks[n].Name = mutating.Name
		lead(mutating.Webhooks[n].ClientConfig.Service, port, mutatingPath)
	}
	for n := range validating.Webhooks {
		validating.Webhooks[n].Name = validating.Name
		lead(validating.Webhooks[n].ClientConfig.Service, port, validatingPath)
	}
	e.mutating, e.validating = mutating, validating
	return nil
}

func lead(service *admissionregistrationv1.ServiceReference, port int32, path string) {
	service.Port, service.Path = &port, &path
}

// while has the API server ask them while something is done.
func (e *emptyWebhooks) while(ctx context.Context, do func() error) (err error) {
	admission := e.plane.Kube.AdmissionregistrationV1()
	defer func() { err = errors.Join(err, e.withdraw(context.WithoutCancel(ctx))) }()
	if _, err := admission.MutatingWebhookConfigurations().Create(ctx, e.mutating, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := admission.ValidatingWebhookConfigurations().Create(ctx, e.validating, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := e.await(ctx, true); err != nil {
		return err
	}
	return do()
}

func (e *emptyWebhooks) withdraw(ctx context.Context) error {
	admission := e.plane.Kube.AdmissionregistrationV1()
	return errors.Join(
		admission.MutatingWebhookConfigurations().Delete(ctx, e.mutating.Name, metav1.DeleteOptions{}),
		admission.ValidatingWebhookConfigurations().Delete(ctx, e.validating.Name, metav1.DeleteOptions{}),
		e.await(ctx, false),
	)
}

// await waits until the API server asks both, or neither.
func (e *emptyWebhooks) await(ctx context.Context, asked bool) error {
	for _, path := range []string{mutatingPath, validatingPath} {
		trial := &v1alpha1.CatalogImage{
			ObjectMeta: metav1.ObjectMeta{Name: path[1:]}, // what the webhook at this path refuses
			Spec:       entry(0).Spec,
		}
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			_, err := e.plane.Catalog.ImagecatalogV1alpha1().CatalogImages("default").
				Create(ctx, trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil && !isRefusal(err) {
				return false, err
			}
			return isRefusal(err) == asked, nil
		})
		if err != nil {
			return fmt.Errorf("waiting for the API server to take up a change of webhooks: %w", err)
		}
	}
	return nil
}

// isRefusal: the API server reports with this code that a webhook refuses without giving a code of its own.
func isRefusal(err error) bool { return apierrors.IsBadRequest(err) }

func (e *emptyWebhooks) close() error {
	err := os.RemoveAll(e.dir)
	if e.process != nil {
		err = errors.Join(err, e.stop())
	}
	return err
}
