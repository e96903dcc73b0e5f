package certificate

import (
	"bytes"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// step is what to do with the Secret next; the package comment says what each is.
type step string

const (
	keep    step = "keep"
	replace step = "replace"
	stage   step = "stage"
	promote step = "promote"
	trim    step = "trim"
)

// nextStep is the step from what the Secret holds.
func (h holding) nextStep() step {
	switch {
	case h.next != nil:
		return promote
	case h.current == nil:
		return replace
	case len(h.bundle) > len(h.issuers()):
		return trim
	case !h.now.Before(h.dueAt):
		return stage
	default:
		return keep
	}
}

// settles says whether a step waits until the last one is known everywhere. Nothing waits for a certificate that does
// not serve, nor one more CA for anything.
func (h holding) settles(s step) bool {
	return h.current != nil && (s == promote || s == trim)
}

// take changes the Secret.
func (h holding) take(s step, secret *corev1.Secret, service string) error {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	switch s {
	case replace, stage:
		return h.issue(s, secret, service)
	case promote:
		secret.Data[certresources.ServerKey] = secret.Data[nextServerKey]
		secret.Data[certresources.ServerCert] = secret.Data[nextServerCert]
		forgetNext(secret)
	case trim:
		bundle, err := certutil.EncodeCertificates(h.issuers()...)
		if err != nil {
			return fmt.Errorf("encoding the CA of the certificate: %w", err)
		}
		secret.Data[certresources.CACert] = bundle
		forgetNext(secret)
	case keep:
	}
	return nil
}

// issue makes a certificate with a CA of its own, of which no key is kept.
func (h holding) issue(s step, secret *corev1.Secret, service string) error {
	made, err := issue(service, secret.Namespace, h.now, h.now.Add(h.lifetime))
	if err != nil {
		return err
	}
	if s == replace {
		forgetNext(secret)
		maps.Copy(secret.Data, map[string][]byte{
			certresources.ServerKey: made.key, certresources.ServerCert: made.certificate, certresources.CACert: made.ca,
		})
	} else {
		maps.Copy(secret.Data, map[string][]byte{
			nextServerKey: made.key, nextServerCert: made.certificate,
			certresources.CACert: bytes.Join([][]byte{secret.Data[certresources.CACert], made.ca}, []byte("\n")),
		})
	}
	answer(secret)
	return nil
}

func forgetNext(secret *corev1.Secret) {
	delete(secret.Data, nextServerKey)
	delete(secret.Data, nextServerCert)
}

// answer notes that the request for a renewal, if there is one, is met.
func answer(secret *corev1.Secret) {
	if request, ok := secret.Annotations[RenewRequestedAnnotation]; ok {
		secret.Annotations[renewAnsweredAnnotation] = request
	}
}

// untilDue is how long the certificate may be kept.
func (h holding) untilDue() time.Duration { return h.dueAt.Sub(h.now) }
