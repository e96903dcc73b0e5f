//go:build registries

package registries

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// Of several keys of a pull secret the one counts whose path is the longest that the repository begins with, in whole
// segments; and none of another host.
func TestKeyring(t *testing.T) {
	t.Parallel()
	f := newFront(t, open)
	secrets := map[string]string{"acme": newSecret(), "acme/os": newSecret(), "acme/o": newSecret()}
	auths := map[string]any{}
	for path, secret := range secrets {
		auths[f.Host+"/"+path] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("reader:" + secret))}
		ledger.Entrust(secret, f.Host)
	}
	for _, elsewhere := range []string{"127.0.0.1", f.Host + "0", "registry.example/acme/os", "*." + f.Host} {
		secret := newSecret()
		auths[elsewhere] = map[string]string{"username": "reader", "password": secret}
		ledger.Entrust(secret) // to no host
	}
	config, err := json.Marshal(map[string]any{"auths": auths})
	require.NoError(t, err)
	keys := &registry.Keyring{}
	require.NoError(t, keys.AddConfigJSON("the test's secret", config))

	client := f.client(t)
	for repository, path := range map[string]string{"acme/os": "acme/os", "acme/os/deep": "acme/os", "acme/multi": "acme", "acme/osx": "acme", "acmes/os": "", "other/acme/os": ""} {
		f.Forget()
		_, _ = client.Head(patient(t), ref(t, f.Host, repository+":1"), keys) // whether it is there does not matter
		sent := f.Log().At("/manifests/")
		require.NotEmpty(t, sent)
		user, password, ok := sent[0].BasicAuth()
		assert.Equal(t, path != "", ok, "%s: %s as %s", repository, sent, user)
		assert.Equal(t, secrets[path], password, "%s is opened by the key of %q:\n%s", repository, path, sent)
	}
}

// A registry that wants a password tells who has none what to do.
func TestPasswordThatIsMissingOrWrong(t *testing.T) {
	t.Parallel()
	f := newFront(t, debian)
	client := f.client(t)
	_, err := client.Head(patient(t), ref(t, f.Host, imageTag), nil)
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "provide a pull secret for "+f.Host)

	wrong := &registry.Keyring{}
	secret := newSecret()
	ledger.Entrust(secret, f.Host)
	wrong.Set(f.Host, registry.NewCredential("the pull secret team/wrong", "reader-000", secret))
	_, err = client.Head(patient(t), ref(t, f.Host, imageTag), wrong)
	assert.Equal(t, registry.Unauthorized, registry.ReasonOf(err))
	assert.ErrorContains(t, err, "does not accept the pull secret team/wrong")

	_, err = client.Head(patient(t), ref(t, f.Host, imageTag), f.keys)
	assert.NoError(t, err, "and whoever has another has no harm of it")
}

// A private CA is trusted for the host that it is entered for, and for no other.
func TestCertificateAuthorities(t *testing.T) {
	t.Parallel()
	trusted, other := newFront(t, debian), newFront(t, debian)
	client := registry.New(settings(t, trusted.entry, "127.0.0.1: {privateAddresses: true}\n"))
	_, err := client.Describe(patient(t), ref(t, trusted.Host, imageTag), trusted.keys)
	require.NoError(t, err, trusted.Log())
	_, err = client.Describe(patient(t), ref(t, other.Host, imageTag), other.keys)
	assert.Equal(t, registry.TLSError, registry.ReasonOf(err), err)
	assert.Empty(t, other.Log())
}

// New settings hold from the next request on, in a client that runs.
func TestConfigure(t *testing.T) {
	t.Parallel()
	f := newFront(t, debian)
	client := registry.New(nil)
	head := func() error {
		_, err := client.Head(patient(t), ref(t, f.Host, imageTag), f.keys)
		return err
	}
	steps := []struct {
		title  string
		hosts  string
		reason registry.Reason
	}{
		{"no entry", "", registry.Blocked},
		{"private addresses of all", `"*": {privateAddresses: true}`, registry.Blocked}, // loopback takes an entry of its own
		{"an entry without a CA", "127.0.0.1: {privateAddresses: true}", registry.TLSError},
		{"an entry with it", f.entry, ""},
		{"plain HTTP", plain, registry.RegistryUnavailable},
		{"the right one again", f.entry, ""},
		{"another CA", trusting(f.Host, another(t)), registry.TLSError},
		{"no entry again", "", registry.Blocked},
	}
	for _, step := range steps {
		client.Configure(settings(t, step.hosts))
		err := head()
		assert.Equal(t, step.reason, registry.ReasonOf(err), "%s: %v", step.title, err)
	}
	allowed, err := registry.ParseSettings(map[string]string{"hosts": f.entry, "allowed": f.Host + "/other/**"})
	require.NoError(t, err)
	client.Configure(allowed)
	assert.Equal(t, registry.Blocked, registry.ReasonOf(head()))
}

// What the settings say otherwise takes nothing from the other hosts: their connections, and what is known of their state.
func TestConfigureKeepsOtherHosts(t *testing.T) {
	t.Parallel()
	kept, changed := newFront(t, open), newFront(t, debian)
	client := registry.New(settings(t, plain, changed.entry))
	_, err := client.Head(patient(t), ref(t, kept.Host, imageTag), nil)
	require.NoError(t, err)
	kept.Inject(faults.RetryAfter(429, "600").At("/manifests/"))
	_, err = client.Head(patient(t), ref(t, kept.Host, imageTag), nil)
	require.Equal(t, registry.Throttled, registry.ReasonOf(err))

	kept.Inject()
	kept.Forget()
	client.Configure(settings(t, plain, trusting(changed.Host, another(t))))
	_, err = client.Head(patient(t), ref(t, kept.Host, imageTag), nil)
	assert.Equal(t, registry.Throttled, registry.ReasonOf(err), "a pause outlives other settings")
	var failure *registry.Error
	require.ErrorAs(t, err, &failure)
	assert.Greater(t, failure.RetryAfter, 5*time.Minute)
	assert.Empty(t, kept.Log(), "it was asked in the pause")
}
