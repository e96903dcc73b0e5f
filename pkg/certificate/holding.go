package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// Where the next certificate waits. The current one is where knative's webhook reads it.
const (
	nextServerKey  = "next-" + certresources.ServerKey
	nextServerCert = "next-" + certresources.ServerCert
)

const (
	// RenewRequestedAnnotation on the Secret asks for a renewal. Its value is the time of asking, as in RFC 3339; it
	// counts when it is later than the beginning of the certificate.
	RenewRequestedAnnotation = "imagecatalog.dev/renew-requested-at"
	// renewAnsweredAnnotation is the request that has been met. The clock of whoever asks may be ahead: its time alone
	// would ask again and again.
	renewAnsweredAnnotation = "imagecatalog.dev/renew-answered"
)

// skew is how far the clocks of replicas may differ before one takes another's new certificate for one from the future.
const skew = 5 * time.Minute

// holding is what the Secret holds at a time, as far as it can be used.
type holding struct {
	terms
	// current and next are nil unless they serve under host and the bundle trusts them.
	current, next *x509.Certificate
	bundle        []*x509.Certificate
	// dueAt is when the current certificate is to be renewed: because it ends, or because somebody asks for it.
	dueAt time.Time
	now   time.Time
}

func (t terms) read(secret *corev1.Secret, host string, now time.Time) holding {
	h := holding{terms: t, now: now}
	var err error
	if h.bundle, err = certutil.ParseCertsPEM(secret.Data[certresources.CACert]); err != nil {
		return h
	}
	h.current = h.usable(secret.Data[certresources.ServerCert], secret.Data[certresources.ServerKey], host)
	h.next = h.usable(secret.Data[nextServerCert], secret.Data[nextServerKey], host)
	if h.current != nil {
		h.dueAt = h.ordinarilyDue()
		if h.asked(secret.Annotations) {
			h.dueAt = now
		}
	}
	return h
}

// usable is a certificate that the bundle trusts now; nil if there is none.
func (h holding) usable(certificate, key []byte, host string) *x509.Certificate {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil
	}
	roots := x509.NewCertPool()
	for _, ca := range h.bundle {
		roots.AddCert(ca)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: h.now.Add(skew)}); err != nil {
		return nil
	}
	return pair.Leaf
}

// ordinarilyDue is when the current certificate is to be renewed if nobody asks.
func (h holding) ordinarilyDue() time.Time {
	due := h.current.NotAfter
	for _, ca := range h.issuers() {
		if ca.NotAfter.Before(due) {
			due = ca.NotAfter
		}
	}
	return due.Add(-h.renewBefore)
}

// asked says whether somebody asks for a renewal that has not begun.
func (h holding) asked(annotations map[string]string) bool {
	request := annotations[RenewRequestedAnnotation]
	at, err := time.Parse(time.RFC3339, request)
	return err == nil && at.After(h.current.NotBefore) && request != annotations[renewAnsweredAnnotation]
}

// noticeLeft is how long the next certificate still waits for those who fetch its CA by hand. They have no time when it
// was asked for, before it was due, nor on the last day of the current one.
func (h holding) noticeLeft() time.Duration {
	due := h.ordinarilyDue()
	if h.next == nil || h.next.NotBefore.Before(due) {
		return 0
	}
	end := h.next.NotBefore.Add(h.notice)
	if last := due.Add(h.renewBefore - day); last.Before(end) {
		end = last
	}
	return end.Sub(h.now)
}

// issuers are those of the bundle that signed the current certificate.
func (h holding) issuers() []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(h.bundle), func(ca *x509.Certificate) bool {
		return h.current.CheckSignatureFrom(ca) != nil
	})
}
