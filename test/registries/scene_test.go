//go:build registries

package registries

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// scene is one look-up of one host in trouble.
type scene struct {
	host      string
	keys      authn.Keychain
	settings  *registry.Settings
	proxy     *faults.Proxy // nil where no request can arrive
	elsewhere *faults.Proxy // another host, which the settings know too
	ask       question
}

// question is what is asked of a host in trouble.
type question func(t *testing.T, client *registry.Client, s *scene) error

func byTag(t *testing.T, client *registry.Client, s *scene) error {
	_, err := client.Describe(patient(t), ref(t, s.host, imageTag), s.keys)
	return err
}

func byDigest(t *testing.T, client *registry.Client, s *scene) error {
	_, err := client.Describe(patient(t), imageDigest(t, s.host), s.keys)
	return err
}

func byIndex(t *testing.T, client *registry.Client, s *scene) error {
	_, err := client.Describe(patient(t), ref(t, s.host, indexTag), s.keys)
	return err
}

func byHead(t *testing.T, client *registry.Client, s *scene) error {
	_, err := client.Head(patient(t), ref(t, s.host, imageTag), s.keys)
	return err
}

func referrers(t *testing.T, client *registry.Client, s *scene) error {
	_, err := client.Referrers(patient(t), imageDigest(t, s.host), s.keys)
	return err
}

// play has the question asked by a client that knows nothing yet, and writes down how it went.
func (s *scene) play(t *testing.T) string {
	t.Helper()
	err := s.ask(t, registry.New(s.settings), s)
	var text strings.Builder
	text.WriteString(outcome(t, err))
	text.WriteString(requests("asked", s.proxy))
	text.WriteString(requests("asked elsewhere", s.elsewhere))
	return s.anonymous(text.String())
}

// outcome is the reason, when to come again, and the message.
func outcome(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "answered\n"
	}
	var failure *registry.Error
	require.ErrorAs(t, err, &failure)
	text := string(failure.Reason)
	if failure.RetryAfter > 0 {
		text += fmt.Sprintf(", again in about %s", (failure.RetryAfter + 10*time.Second - 1).Truncate(10*time.Second))
	}
	return text + "\n" + failure.Error() + "\n"
}

func requests(title string, proxy *faults.Proxy) string {
	if proxy == nil || len(proxy.Log()) == 0 {
		return ""
	}
	log := proxy.Log()
	lines := log.Lines()
	if len(lines) > mostLines {
		lines = append(lines[:mostLines], fmt.Sprintf("%d in all", len(log)))
	}
	return title + "\n  " + strings.Join(lines, "\n  ") + "\n"
}

// mostLines of requests tell all there is to know.
const mostLines = 8

// What is different in every run: ports that a client has for a moment, the time.
var (
	otherPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	moment    = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
)

func (s *scene) anonymous(text string) string {
	text = strings.ReplaceAll(text, s.host, "{host}")
	if s.elsewhere != nil {
		text = strings.ReplaceAll(text, s.elsewhere.Host, "{elsewhere}")
	}
	text = otherPort.ReplaceAllString(text, "{port}")
	return faults.Shorten(moment.ReplaceAllString(text, "{time}"))
}

// injected is a scene in which a proxy has faults.
func injected(ask question, fault func(s *scene) faults.Fault) func(*testing.T, *backend) *scene {
	return func(t *testing.T, b *backend) *scene {
		f := newFront(t, b)
		other := lure(t, b.secured)
		s := &scene{host: f.Host, keys: f.keychain(), proxy: f.Proxy, elsewhere: other.Proxy, ask: ask, settings: settings(t, plain, f.entry, other.entry)}
		if fault != nil {
			s.proxy.Inject(fault(s))
		}
		return s
	}
}

// always is a fault that needs nothing of its scene.
func always(fault faults.Fault) func(*scene) faults.Fault {
	return func(*scene) faults.Fault { return fault }
}

// unreachable is a scene with a host that no connection leads to.
func unreachable(host func() (string, func(), error)) func(*testing.T, *backend) *scene {
	return func(t *testing.T, _ *backend) *scene {
		address, closed, err := host()
		require.NoError(t, err)
		t.Cleanup(closed)
		return &scene{host: address, ask: byTag, settings: settings(t, plain)}
	}
}

// certified is a scene with a certificate for a name and until a time, and with an authority that is trusted.
func certified(subject string, until time.Duration, trusted func(*testing.T) *faults.Authority) func(*testing.T, *backend) *scene {
	return func(t *testing.T, b *backend) *scene {
		certificate, err := authority.Issue(subject, time.Now().Add(until))
		require.NoError(t, err)
		proxy := newProxy(t, faults.Site{Certificate: certificate}, b)
		return &scene{host: proxy.Host, proxy: proxy, ask: byTag, settings: settings(t, trusting(proxy.Host, trusted(t)))}
	}
}

func ours(*testing.T) *faults.Authority { return authority }

func another(t *testing.T) *faults.Authority {
	made, err := faults.NewAuthority()
	require.NoError(t, err)
	return made
}

// misconfigured is a scene in which the settings and the host do not agree about TLS.
func misconfigured(site func(*testing.T) faults.Site, entry func(host string) string) func(*testing.T, *backend) *scene {
	return func(t *testing.T, b *backend) *scene {
		proxy := newProxy(t, site(t), b)
		return &scene{host: proxy.Host, proxy: proxy, ask: byTag, settings: settings(t, entry(proxy.Host))}
	}
}
