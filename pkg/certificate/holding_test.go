package certificate

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

const (
	namespace = "image-catalog"
	service   = "webhook"
	host      = "webhook.image-catalog.svc"
)

// issuedFor is a certificate for a Service, from now on.
func issuedFor(t *testing.T, of string, notAfter time.Time) issued {
	t.Helper()
	made, err := issue(of, namespace, time.Now(), notAfter)
	require.NoError(t, err)
	return made
}

// secret is a Secret with the current pair, the next one unless it is empty, and a bundle.
func secret(current, next issued, bundle ...[]byte) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "webhook-certs", Annotations: map[string]string{}},
		Data: map[string][]byte{
			certresources.ServerKey:  current.key,
			certresources.ServerCert: current.certificate,
			certresources.CACert:     bytes.Join(bundle, nil),
		},
	}
	if next.key != nil {
		s.Data[nextServerKey], s.Data[nextServerCert] = next.key, next.certificate
	}
	return s
}

func annotated(s *corev1.Secret, annotations map[string]string) *corev1.Secret {
	s.Annotations = annotations
	return s
}

func TestTheNextStep(t *testing.T) {
	now := time.Now()
	week := now.Add(webhookTerms.lifetime)
	a, b := issuedFor(t, service, week), issuedFor(t, service, week)
	short, gone, elsewhere := issuedFor(t, service, now.Add(23*time.Hour)), issuedFor(t, service, now.Add(time.Minute)), issuedFor(t, "other", week)
	none := issued{}
	later, earlier := now.Add(time.Hour).UTC().Format(time.RFC3339), now.Add(-time.Hour).UTC().Format(time.RFC3339)
	for title, test := range map[string]struct {
		secret *corev1.Secret
		want   step
		waits  bool
	}{
		"nothing yet":                      {&corev1.Secret{}, replace, false},
		"in order":                         {secret(a, none, a.ca), keep, false},
		"damaged certificate":              {secret(issued{a.key, []byte("x"), nil}, none, a.ca), replace, false},
		"another's key":                    {secret(issued{b.key, a.certificate, nil}, none, a.ca), replace, false},
		"no CA":                            {secret(a, none), replace, false},
		"damaged CA":                       {secret(a, none, []byte("x")), replace, false},
		"another's CA":                     {secret(a, none, b.ca), replace, false},
		"another's host":                   {secret(elsewhere, none, elsewhere.ca), replace, false},
		"about to expire":                  {secret(gone, none, gone.ca), replace, false},
		"the last day":                     {secret(short, none, short.ca), stage, false},
		"staged":                           {secret(a, b, a.ca, b.ca), promote, true},
		"staged, the order does not count": {secret(a, b, b.ca, a.ca), promote, true},
		"staged, and expired meanwhile":    {secret(gone, b, gone.ca, b.ca), promote, false},
		"staged, and its CA was removed":   {secret(a, b, a.ca), keep, false},
		"staged, and damaged":              {secret(a, issued{b.key, []byte("x"), nil}, a.ca, b.ca), trim, true},
		"promoted":                         {secret(b, none, a.ca, b.ca), trim, true},
		"asked for":                        {annotated(secret(a, none, a.ca), map[string]string{RenewRequestedAnnotation: later}), stage, false},
		"asked for, of a later one":        {annotated(secret(a, none, a.ca), map[string]string{RenewRequestedAnnotation: earlier}), keep, false},
		"asked for, and done": {annotated(secret(a, none, a.ca),
			map[string]string{RenewRequestedAnnotation: later, renewAnsweredAnnotation: later}), keep, false},
		"asked for again": {annotated(secret(a, none, a.ca),
			map[string]string{RenewRequestedAnnotation: later, renewAnsweredAnnotation: earlier}), stage, false},
		"asked for in other words": {annotated(secret(a, none, a.ca), map[string]string{RenewRequestedAnnotation: "now"}), keep, false},
	} {
		held := webhookTerms.read(test.secret, host, now)
		assert.Equal(t, test.want, held.nextStep(), title)
		assert.Equal(t, test.waits, held.settles(test.want), title)
	}
}

func TestWhenRenewalIsDue(t *testing.T) {
	now := time.Now()
	a := issuedFor(t, service, now.Add(webhookTerms.lifetime))
	until := func(at time.Time) time.Duration {
		return webhookTerms.read(secret(a, issued{}, a.ca), host, at).untilDue()
	}
	assert.InDelta(t, 6*24*time.Hour, until(now), float64(time.Second))
	assert.InDelta(t, time.Hour, until(now.Add(6*24*time.Hour-time.Hour)), float64(time.Second))
	assert.Equal(t, keep, webhookTerms.read(secret(a, issued{}, a.ca), host, now.Add(6*24*time.Hour-2*time.Second)).nextStep())
	assert.Equal(t, stage, webhookTerms.read(secret(a, issued{}, a.ca), host, now.Add(6*24*time.Hour+2*time.Second)).nextStep())
}

func TestAStepMakesWhatTheNextOneNeeds(t *testing.T) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	now := time.Now()
	var steps []step
	for range 2 {
		for {
			held := webhookTerms.read(s, host, now)
			next := held.nextStep()
			steps = append(steps, next)
			if next == keep {
				break
			}
			require.NoError(t, held.take(next, s, service))
		}
		s.Annotations = map[string]string{RenewRequestedAnnotation: now.Add(time.Hour).UTC().Format(time.RFC3339)}
	}
	assert.Equal(t, []step{replace, keep, stage, promote, trim, keep}, steps)
	assert.Len(t, s.Data, 3, "nothing of the renewal is left: %v", s.Data)
}
