package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Error is a failure as its reader needs it: what was asked of which host, why it failed, what to do about it.
type Error struct {
	// Reason of the failure.
	Reason Reason
	// Host is the registry as in the reference, for example quay.io or localhost:5000.
	Host string
	// Subject is what was asked for: a reference, or a part of an image.
	Subject string
	// Credential with which it was asked, in words; empty without any.
	Credential string
	// RetryAfter is how long it is in vain, or unwelcome, to ask again; zero if nothing says so.
	RetryAfter time.Duration
	// Err is the cause. It may hold URLs with signatures in their query, so Error leaves most of it out.
	Err error
}

// maxCause keeps a message small enough for a status: the errors of decoders and of TLS quote what the registry sent.
const maxCause = 500

// Error is one sentence for people: the problem, the cause in brackets, what to do.
func (e *Error) Error() string {
	problem, advice := e.words()
	fill := strings.NewReplacer("{subject}", e.Subject, "{host}", e.Host, "{credential}", e.Credential)
	return fmt.Sprintf("%s (%s): %s", fill.Replace(problem), clip(cause(e.Err)), fill.Replace(advice))
}

func clip(text string) string {
	if len(text) > maxCause {
		text = text[:maxCause] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) words() (problem, advice string) {
	switch e.Reason {
	case Unauthorized, Forbidden:
		return e.wordsOnAccess()
	case Blocked:
		return e.wordsOnSettings()
	case Busy:
		return "{host} was not yet asked about {subject}", "there is nothing to do: it will be"
	case NotFound:
		return "{subject} does not exist on {host}", "check the repository and the tag or digest, or push the image"
	case DigestMismatch:
		return "{host} sends other bytes for {subject} than its digest says", "do not use it, and push the image again"
	case Incomplete:
		return "{host} holds only a part of the image: {subject} is missing", "push the image again with all its platforms"
	case Malformed:
		return "{subject} on {host} is no image that can be read", "push it again with a current tool"
	case TooLarge:
		return "{subject} on {host} is larger than is accepted", "make it smaller, or split it"
	case Throttled:
		return "{host} limits how often it is asked, and refused {subject}", "wait, or use credentials with a higher limit"
	case TLSError:
		return "there is no trusted connection to {host} for {subject}", "trust the CA of {host}, or renew its certificate"
	default:
		return "{host} gave no answer about {subject}", "check that {host} runs and can be reached from here"
	}
}

// wordsOnSettings name the setting that would allow what was refused. A host that somebody else named is not to be opened
// unseen: it may be what a registry has no business with.
func (e *Error) wordsOnSettings() (problem, advice string) {
	const asked, instead = "{host} may not be asked about {subject}", " in config-registries, or use another registry"
	var found *fault
	switch {
	case errors.Is(e.Err, errNotAllowed):
		return "images of {subject} are not allowed", "use an allowed repository, or have this one entered under allowed in config-registries"
	case !errors.As(e.Err, &found) || found.setting == "":
		return asked, "no setting allows that: have {host} mended, or use another registry"
	case found.setting == tokenServers:
		return asked, "have " + found.host + ", if it is known, entered under tokenServers of {host}" + instead
	case strings.EqualFold(found.host, strings.TrimSuffix(e.Host, ":443")):
		return asked, "have " + found.setting + " set for {host}" + instead
	default:
		return asked, "have " + found.setting + " set for " + found.host + ", if {host} may lead there," + instead
	}
}

func (e *Error) wordsOnAccess() (problem, advice string) {
	switch {
	case errors.Is(e.Err, errCredentials):
		return "{host} was not asked about {subject}", "correct the credentials for {host}"
	case e.Reason == Unauthorized && e.Credential == "":
		return "{host} wants credentials for {subject}", "provide a pull secret for {host}"
	case e.Reason == Unauthorized:
		return "{host} does not accept {credential} for {subject}", "correct the user name and password there"
	case e.Credential == "":
		return "{host} does not show {subject} to everybody", "provide a pull secret for {host}"
	default:
		return "{credential} may not read {subject} on {host}", "grant pull access to the repository, or provide other credentials"
	}
}

// cause is the innermost part of an error that helps and holds no secret: not the URLs of requests, nor the bodies of
// answers.
func cause(err error) string {
	var status *transport.Error
	var request *url.Error
	switch certificate := untrusted(err); {
	case certificate != nil:
		return certificate.Error()
	case errors.As(err, &status):
		return describeStatus(status)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded): // a dialer has now the one, now the other
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &request):
		return cause(request.Err)
	default:
		return err.Error()
	}
}

func describeStatus(status *transport.Error) string {
	text := fmt.Sprintf("HTTP %d %s", status.StatusCode, http.StatusText(status.StatusCode))
	if len(status.Errors) > 0 {
		text += fmt.Sprintf(", %.40q", string(status.Errors[0].Code))
	}
	return text
}

// fault is what is wrong with bytes that arrived, or with a request that was to be sent.
type fault struct {
	reason Reason
	text   string

	// setting of the host that would allow what is Blocked; empty if none does.
	setting, host string
}

func (f *fault) Error() string { return f.text }

func faultf(reason Reason, format string, args ...any) error {
	return &fault{reason: reason, text: fmt.Sprintf(format, args...)}
}

// blocked is the fault of what a setting of the host would allow: a field of Host, as the ConfigMap calls it.
func blocked(setting, host, text string) error {
	return &fault{reason: Blocked, text: text, setting: setting, host: clipHost(host)}
}

// clipHost keeps the longest name that there is (RFC 1035): a registry may have made up one.
func clipHost(host string) string { return fmt.Sprintf("%.255s", host) }

func statusOf(err error) (code int, ok bool) {
	var status *transport.Error
	if !errors.As(err, &status) {
		return 0, false
	}
	return status.StatusCode, true
}
