//go:build registries

package registries

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// plain lets every port of this machine be asked by HTTP.
const plain = "127.0.0.1: {plainHTTP: true, privateAddresses: true}\n"

// front is a proxy of a test's own, and what it takes to ask it.
type front struct {
	*faults.Proxy
	entry string            // of the settings
	keys  *registry.Keyring // nil for a registry that is open to everybody

	credential registry.Credential
	user       string // of the credential
	secret     string // of the credential
}

// newFront puts a proxy before a registry, with credentials that no other host has where it wants some.
func newFront(t *testing.T, b *backend) *front {
	t.Helper()
	f := &front{entry: plain}
	if b.secured {
		f.Proxy = newProxy(t, withTLS(t), b)
		f.entry = trusting(f.Host, authority)
	} else {
		f.Proxy = newProxy(t, faults.Site{}, b)
	}
	if b.passwords {
		user, password := nextReader()
		f.entrust(user, password)
	}
	return f
}

func withTLS(t *testing.T) faults.Site {
	t.Helper()
	certificate, err := authority.Issue("127.0.0.1", time.Now().Add(time.Hour))
	require.NoError(t, err)
	return faults.Site{Certificate: certificate}
}

func newProxy(t *testing.T, site faults.Site, b *backend) *faults.Proxy {
	t.Helper()
	proxy, err := faults.NewProxy(ledger, site, b.handler)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	return proxy
}

// trusting is the entry of a host whose certificate the authority signed.
func trusting(host string, by *faults.Authority) string {
	return fmt.Sprintf("%q: {privateAddresses: true, certificateAuthorities: %q}\n", host, by.PEM())
}

// entrust gives the host's credentials to those who ask it.
func (f *front) entrust(user, password string) {
	if f.keys == nil {
		f.keys = &registry.Keyring{}
	}
	f.credential, f.secret = registry.NewCredential("the test's secret", user, password), password
	f.user = user
	f.keys.Set(f.Host, f.credential)
	ledger.Entrust(password, f.Host)
}

// newSecret is found in whatever holds it.
func newSecret() string { return "secret-" + rand.Text() }

// readerCount is how many users testdata/htpasswd has: reader-000 with the password password-of-reader-000, and so on.
const readerCount = 256

var readers atomic.Int32

// nextReader is a user of testdata/htpasswd who was not given out yet.
func nextReader() (user, password string) {
	number := readers.Add(1) - 1
	if number >= readerCount {
		panic("all users of testdata/htpasswd are given out: add some, with bcrypt, or repeat the tests fewer times")
	}
	user = fmt.Sprintf("reader-%03d", number)
	return user, "password-of-" + user
}

// client asks the host, and what further entries of the settings name.
func (f *front) client(t *testing.T, entries ...string) *registry.Client {
	t.Helper()
	return registry.New(settings(t, append(entries, f.entry)...))
}

// settings puts entries together, each of them once.
func settings(t *testing.T, entries ...string) *registry.Settings {
	t.Helper()
	var text strings.Builder
	for _, entry := range entries {
		if !strings.Contains(text.String(), entry) {
			text.WriteString(entry)
		}
	}
	parsed, err := registry.ParseSettings(map[string]string{"hosts": text.String()})
	require.NoError(t, err)
	return parsed
}

// ref parses a reference to an image of the host.
func ref(t *testing.T, host, reference string) name.Reference {
	t.Helper()
	parsed, err := name.ParseReference(host + "/" + reference)
	require.NoError(t, err)
	return parsed
}

// lookRef is one of many references to the same image.
func lookRef(t *testing.T, host string, number int) name.Reference {
	t.Helper()
	return ref(t, host, fmt.Sprintf("acme/os:look-%d", number%tagCount))
}

// imageDigest is the reference of the image by its digest.
func imageDigest(t *testing.T, host string) name.Digest {
	t.Helper()
	image, err := newImage("arch0")
	require.NoError(t, err)
	digest, err := image.Digest()
	require.NoError(t, err)
	return ref(t, host, imageTag).Context().Digest(digest.String())
}

// patient is a context with a deadline that only a bug reaches.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// keychain has the host's credentials; nil for one that is open to everybody.
func (f *front) keychain() authn.Keychain {
	if f.keys == nil {
		return nil
	}
	return f.keys
}
