package certificate

import "time"

// terms say how a certificate is kept.
type terms struct {
	// lifetime of the certificate and its CA.
	lifetime time.Duration
	// renewBefore the end of the certificate or its CA.
	renewBefore time.Duration
	// notice is how long the next CA is known before a certificate relies on it.
	notice time.Duration
	// settling is how long a step has to be known before the next may rely on it.
	settling time.Duration
}

var (
	// Of the webhook's CA knative tells the API servers, and watches tell the replicas.
	webhookTerms = terms{lifetime: 7 * day, renewBefore: day, settling: 10 * time.Second}
	// The query server's CA is in files of people and programs, who need time to fetch the next one. Kubelets take up to
	// two minutes to bring a Secret to a pod.
	queryTerms = terms{lifetime: 365 * day, renewBefore: 60 * day, notice: 30 * day, settling: 5 * time.Minute}
)

const day = 24 * time.Hour
