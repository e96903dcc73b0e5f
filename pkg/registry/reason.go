package registry

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Reason says in one word why a registry's answer is not a good image. It is a condition reason and a Task result.
type Reason string

// Answers about the image: asking again brings the same until somebody pushes.
const (
	// NotFound: the registry says that there is no such image (HTTP 404, asked twice).
	NotFound Reason = "NotFound"
	// DigestMismatch: the bytes do not have the digest by which they were asked for.
	DigestMismatch Reason = "DigestMismatch"
	// Incomplete: the image is there, but a manifest, configuration or blob that it consists of is not.
	Incomplete Reason = "Incomplete"
	// Malformed: the bytes are no image manifest, index or configuration, or hold a name that no tool writes.
	Malformed Reason = "Malformed"
	// TooLarge: a limit of this package was exceeded: 4 MiB for a manifest or configuration, and others.
	TooLarge Reason = "TooLarge"
)

// The lack of an answer: it says nothing about the image.
const (
	// Unauthorized: the registry wants credentials, or other ones (HTTP 401).
	Unauthorized Reason = "Unauthorized"
	// Forbidden: the registry knows who asks and refuses (HTTP 403).
	Forbidden Reason = "Forbidden"
	// Throttled: too many requests (HTTP 429). Error.RetryAfter says when the next is welcome.
	Throttled Reason = "Throttled"
	// Blocked: the settings do not let the registry be asked, or not in this way: see Settings. Nothing was sent.
	Blocked Reason = "Blocked"
	// Busy: nobody was asked, because others are being asked about. Error.RetryAfter says when to come again.
	Busy Reason = "Busy"
	// TLSError: there is no trusted connection to the registry.
	TLSError Reason = "TLSError"
	// RegistryUnavailable: no connection, no answer in time, or an answer that is none (HTTP 5xx and the like).
	RegistryUnavailable Reason = "RegistryUnavailable"
)

// Definite says that the registry answered about the image: a verdict may be based on it. The rest is an outage or a
// matter of access, and says nothing.
func (r Reason) Definite() bool {
	switch r {
	case NotFound, DigestMismatch, Incomplete, Malformed, TooLarge:
		return true
	}
	return false
}

// ReasonOf gives the reason of an error of this package, however wrapped; "" for other errors and nil.
func ReasonOf(err error) Reason {
	var known *Error
	if errors.As(err, &known) {
		return known.Reason
	}
	return ""
}

// reasonFor judges what came back from the network or was found in the bytes.
func reasonFor(err error) Reason {
	var found *fault
	var status *transport.Error
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &found):
		return found.reason
	case untrusted(err) != nil:
		return TLSError
	case errors.As(err, &status):
		return reasonForStatus(status.StatusCode)
	case speaksHTTP(err):
		return Blocked // by HTTP it could be asked
	case errors.As(err, &record):
		return TLSError
	default:
		return RegistryUnavailable
	}
}

func reasonForStatus(code int) Reason {
	switch code {
	case http.StatusNotFound:
		return NotFound
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		return Forbidden
	case http.StatusTooManyRequests:
		return Throttled
	default:
		return RegistryUnavailable
	}
}

// speaksHTTP recognises a host that answers a TLS handshake in plain HTTP.
func speaksHTTP(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/"
}

// untrusted finds the error of a certificate that was refused; nil if there is none.
func untrusted(err error) error {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return verification.Err
	}
	return nil
}

// retrying repeats a request at once when the connection breaks or the registry has a moment's trouble.
func retrying(inner http.RoundTripper) http.RoundTripper {
	return transport.NewRetry(inner,
		transport.WithRetryBackoff(transport.Backoff{Duration: 100 * time.Millisecond, Factor: 3, Jitter: 0.5, Steps: 3}),
		transport.WithRetryPredicate(isTransient),
		transport.WithRetryStatusCodes(http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout),
	)
}

// isTransient recognises a broken connection. A timeout is not one: it has already cost its whole time.
func isTransient(err error) bool {
	var later *postponed
	if errors.As(err, &later) {
		return false
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return false
	}
	var temporary interface{ Temporary() bool }
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		(errors.As(err, &temporary) && temporary.Temporary())
}
