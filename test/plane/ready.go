package plane

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// probe asks the webhook as the kubelet does.
func probe(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kube-probe/1.35")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // a probe checks no certificate
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// AwaitWebhook waits until each running replica is ready and a bad entry is refused.
func (p *Plane) AwaitWebhook(ctx context.Context) error {
	for _, webhook := range p.Webhooks {
		if !webhook.Running() {
			continue
		}
		if err := webhook.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return p.AwaitRefusing(ctx)
}

// AwaitRefusing waits for the webhook's own words about a bad entry; until it has written its rules everything is admitted.
func (p *Plane) AwaitRefusing(ctx context.Context) error {
	return p.awaitAnswer(ctx, "the webhook to refuse a bad entry", func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "denied the request: validation failed")
	})
}

// awaitAnswer waits for the answer to a bad entry.
func (p *Plane) awaitAnswer(ctx context.Context, what string, wanted func(error) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	bad := &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: "refused"},
		Spec:       v1alpha1.CatalogImageSpec{Image: "not a reference"},
	}
	var last error
	err := every(ctx, 20*time.Millisecond, func() bool {
		_, last = p.Catalog.ImagecatalogV1alpha1().CatalogImages("default").
			Create(ctx, bad, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return wanted(last)
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w; the last answer: %w; the log of %s ends with: %s",
			what, err, last, p.Webhooks[0].Name, p.Webhooks[0].tail())
	}
	return nil
}

// awaitAdmitting waits until nothing is left of the webhook.
func (p *Plane) awaitAdmitting(ctx context.Context) error {
	return p.awaitAnswer(ctx, "a bad entry to be admitted", func(err error) bool { return err == nil })
}
