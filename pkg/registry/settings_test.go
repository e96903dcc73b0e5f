package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parsedHosts are settings with that text for the hosts.
func parsedHosts(t *testing.T, text string) *Settings {
	t.Helper()
	settings, err := ParseSettings(map[string]string{"hosts": text})
	require.NoError(t, err)
	return settings
}

func newCertificate(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	document, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: document}))
}

// inYAML is a text as the value of a field, in a mapping of one line.
func inYAML(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }

func TestSettingsThatSetNothing(t *testing.T) {
	for title, data := range map[string]map[string]string{
		"none":         nil,
		"empty":        {},
		"an example":   {"_example": "{"},
		"empty values": {"allowed": "", "hosts": ""},
		"comments":     {"allowed": "# quay.io/**\n\n", "hosts": "# quay.io: {}\n"},
		"no hosts":     {"hosts": "{}"},
		"null":         {"hosts": "null"},
	} {
		settings, err := ParseSettings(data)
		require.NoError(t, err, title)
		assert.NoError(t, settings.Allows(repositoryOf(t, "evil.example/a")), title)
		assert.Equal(t, Host{MaxConcurrent: DefaultMaxConcurrent, RequestsPerSecond: DefaultRequestsPerSecond}, settings.Host("quay.io"), title)
	}
	var none *Settings
	assert.NoError(t, none.Allows(repositoryOf(t, "evil.example/a")))
	assert.EqualValues(t, DefaultMaxConcurrent, none.Host("quay.io").MaxConcurrent)
	assert.False(t, none.Host("quay.io").PrivateAddresses)
	assert.True(t, ForPods().Host("quay.io").PrivateAddresses)
}

func TestWhatIsAllowed(t *testing.T) {
	settings, err := ParseSettings(map[string]string{"allowed": "\n  # ours\n\tquay.io/acme/**  \r\nregistry.example.com:5000/*/autosd"})
	require.NoError(t, err)
	assert.NoError(t, settings.Allows(repositoryOf(t, "quay.io/acme/os")))
	assert.NoError(t, settings.Allows(repositoryOf(t, "registry.example.com:5000/acme/autosd")))
	err = settings.Allows(repositoryOf(t, "quay.io/evil/os"))
	var blocked *Error
	require.ErrorAs(t, err, &blocked)
	assert.Equal(t, Blocked, blocked.Reason)
	assert.Equal(t, Blocked, ReasonOf(err))
	assert.Equal(t, "quay.io", blocked.Host)
	assert.Equal(t, "quay.io/evil/os", blocked.Subject)
	assert.ErrorContains(t, err, "images of quay.io/evil/os are not allowed (no pattern of allowed matches it): use an allowed repository")
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	const fields = "a host has plainHTTP, privateAddresses, certificateAuthorities, tokenServers, serviceAccountToken, pullSecret, maxConcurrent, requestsPerSecond"
	const noHost = "it is no host: write its name or address, and its port where it has one, such as registry.example.com:5000 or [2001:db8::1]:5000"
	const own = "plainHTTP, tokenServers, serviceAccountToken and pullSecret are for hosts with an entry of their own"
	for _, test := range []struct{ key, value, says string }{
		{"Allowed", "", `there is no such setting; the settings are "allowed" and "hosts"`},
		{"allowed", "quay.io/**\n- quay.io", `"- quay.io" names no repository: write host/repository, such as quay.io/acme/*, or quay.io/** for all of a host`},
		{"hosts", "quay.io:\n\tplainHTTP: true", "yaml: line 2: found character that cannot start any token"},
		{"hosts", "*: {}", `yaml: did not find expected alphabetic or numeric character: write * in quotes, as in "*"`},
		{"hosts", "- quay.io", "line 1: cannot unmarshal !!seq into a mapping of hosts"},
		{"hosts", "quay.io", "line 1: cannot unmarshal !!str `quay.io` into a mapping of hosts"},
		{"hosts", "quay.io: yes", "line 1: cannot unmarshal !!str `yes` into the fields of a host"},
		{"hosts", "quay.io: {plainHttp: true}", "line 1: field plainHttp is unknown: " + fields},
		{"hosts", "quay.io: {named: true}", "line 1: field named is unknown: " + fields},
		{"hosts", "quay.io: {plainHTTP: 3, maxConcurrent: many,\n requestsPerSecond: x, tokenServers: y, pullSecret: [z]}", "line 1: cannot unmarshal !!int `3` into true or false; " +
			"line 1: cannot unmarshal !!str `many` into a whole number; line 2: cannot unmarshal !!str `x` into a number; " +
			"line 2: cannot unmarshal !!str `y` into a list of texts; line 2: cannot unmarshal !!seq into a text"},
		{"hosts", "a.b: {}\na.b: {}", `line 2: mapping key "a.b" already defined at line 1`},
		{"hosts", "a.b: {}\n---\nc.d: {}", "there is more than one YAML document: put all hosts into one, without a line ---"},
		{"hosts", "a.b: {}\n---\n:", "there is more than one YAML document: put all hosts into one, without a line ---"},
		{"hosts", "quay.io: {}\nQuay.io.:443: {}", `"quay.io": there are two entries of quay.io`},
		{"hosts", "docker.io: {}\nindex.docker.io: {}", `"index.docker.io": there are two entries of index.docker.io`},
		{"hosts", "https://quay.io: {}", `"https://quay.io": ` + noHost},
		{"hosts", "quay.io/acme: {}", `"quay.io/acme": ` + noHost},
		{"hosts", `"*.quay.io": {}`, `"*.quay.io": ` + noHost},
		{"hosts", `"": {}`, `"": ` + noHost},
		{"hosts", `":5000": {}`, `":5000": ` + noHost},
		{"hosts", "a..b: {}", `"a..b": ` + noHost},
		{"hosts", "me@quay.io: {}", `"me@quay.io": ` + noHost},
		{"hosts", "fe80::1: {}", `"fe80::1": ` + noHost},
		{"hosts", `"[1.2.3.4]": {}`, `"[1.2.3.4]": ` + noHost},
		{"hosts", `"[fe80::1%eth0]": {}`, `"[fe80::1%eth0]": ` + noHost},
		{"hosts", "quay.io:99999: {}", `"quay.io:99999": its port is 99999, and must be from 1 to 65535`},
		{"hosts", "quay.io:0: {}", `"quay.io:0": its port is 0, and must be from 1 to 65535`},
		{"hosts", `"*": {plainHTTP: true}`, `"*": ` + own},
		{"hosts", `"*": {tokenServers: [a.b]}`, `"*": ` + own},
		{"hosts", `"*": {serviceAccountToken: true}`, `"*": ` + own},
		{"hosts", `"*": {pullSecret: a}`, `"*": ` + own},
		{"hosts", "a.b: {plainHTTP: true, certificateAuthorities: x}", `"a.b": plainHTTP and certificateAuthorities exclude each other: plain HTTP has no certificates`},
		{"hosts", "a.b: {serviceAccountToken: true, pullSecret: x}", `"a.b": serviceAccountToken and pullSecret exclude each other`},
		{"hosts", "a.b: {pullSecret: team/secret}", `"a.b": pullSecret: "team/secret" is no name of a secret`},
		{"hosts", "a.b: {}\nc.d: {maxConcurrent: 1.5}", "line 2: cannot unmarshal !!float `1.5` into a whole number"},
		{"hosts", "a.b: {maxConcurrent: .nan}", "line 1: cannot unmarshal !!float `.nan` into a whole number"},
		{"hosts", "a.b: {maxConcurrent: [1]}", "line 1: cannot unmarshal !!seq into a whole number"},
		{"hosts", "a.b: {maxConcurrent: -1}", `"a.b": maxConcurrent is -1, and must be from 1 to 1024, or absent`},
		{"hosts", "a.b: {maxConcurrent: 1025}", `"a.b": maxConcurrent is 1025, and must be from 1 to 1024, or absent`},
		{"hosts", "a.b: {requestsPerSecond: -0.1}", `"a.b": requestsPerSecond is -0.1, and must be above 0 and at most 100000, or absent`},
		{"hosts", "a.b: {requestsPerSecond: 100001}", `"a.b": requestsPerSecond is 100001, and must be above 0 and at most 100000, or absent`},
		{"hosts", "a.b: {requestsPerSecond: .inf}", `"a.b": requestsPerSecond is +Inf, and must be above 0 and at most 100000, or absent`},
		{"hosts", "a.b: {requestsPerSecond: .nan}", `"a.b": requestsPerSecond is NaN, and must be above 0 and at most 100000, or absent`},
		{"hosts", `"*": {maxConcurrent: 2000}`, `"*": maxConcurrent is 2000, and must be from 1 to 1024, or absent`},
		{"hosts", "a.b: {tokenServers: [c.d, https://e.f]}", `"a.b": tokenServers: "https://e.f": ` + noHost},
		{"hosts", "a.b: {certificateAuthorities: x}", `"a.b": certificateAuthorities: there is something else than PEM blocks in it`},
		{"hosts", "a.b: {certificateAuthorities: " + inYAML(newCertificate(t, "a")+"x") + "}", `"a.b": certificateAuthorities: there is something else than PEM blocks in it`},
		{"hosts", "a.b: {certificateAuthorities: " + inYAML("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n") + "}",
			`"a.b": certificateAuthorities: there is a PRIVATE KEY in it, and only certificates belong there`},
		{"hosts", "a.b: {certificateAuthorities: " + inYAML("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") + "}",
			`"a.b": certificateAuthorities: x509: malformed certificate`},
	} {
		settings, err := ParseSettings(map[string]string{test.key: test.value})
		assert.Nil(t, settings, test.value)
		assert.EqualError(t, err, test.key+": "+test.says, test.value)
	}
}

func TestWhichEntryHoldsForAHost(t *testing.T) {
	settings := parsedHosts(t, `
quay.io: {maxConcurrent: 1}
registry.example.com: {maxConcurrent: 2}
Registry.Example.com:5000: {maxConcurrent: 3}
tls.example.com.:0443: {maxConcurrent: 4}
"[2001:DB8::0]": {maxConcurrent: 5}
"[::1]:5000": {maxConcurrent: 6}
docker.io: {maxConcurrent: 7}
localhost: {maxConcurrent: 8}
10.0.0.7:5000: {maxConcurrent: 9}
"*": {maxConcurrent: 10}
`)
	for authority, want := range map[string]int{
		"quay.io": 1, "quay.io:443": 1, "quay.io:5000": 1, "QUAY.IO": 1,
		"registry.example.com": 2, "registry.example.com:5001": 2, "registry.example.com:443": 2, "registry.example.com:5000": 3,
		"tls.example.com": 4, "tls.example.com:443": 4,
		"[2001:db8::]": 5, "[2001:db8::]:5000": 5, "[::1]:5000": 6, "[::1]": 10,
		name.DefaultRegistry: 7, "localhost:443": 8, "localhost:5000": 8, "10.0.0.7:5000": 9, "10.0.0.7": 10,
		"evil.quay.io": 10, "quay.io.evil.example": 10, "xquay.io": 10, "": 10,
	} {
		assert.EqualValues(t, want, settings.Host(authority).MaxConcurrent, authority)
	}
}

func TestWhatHoldsForAllOthersHoldsWhereAHostSaysNothing(t *testing.T) {
	ours, theirs := newCertificate(t, "ours"), newCertificate(t, "theirs")
	settings := parsedHosts(t, `
plain.example.com: {plainHTTP: true}
limited.example.com: {maxConcurrent: 1}
trusted.example.com: {requestsPerSecond: 0.5, certificateAuthorities: `+inYAML(theirs)+`}
"*": {privateAddresses: true, maxConcurrent: 3, requestsPerSecond: 7, certificateAuthorities: `+inYAML(ours)+`}
`)
	ours, theirs = strings.TrimSpace(ours), strings.TrimSpace(theirs)
	assert.Equal(t, Host{PrivateAddresses: true, MaxConcurrent: 3, RequestsPerSecond: 7, CertificateAuthorities: ours + "\n"}, settings.Host("quay.io"))
	assert.Equal(t, Host{named: true, PlainHTTP: true, MaxConcurrent: 3, RequestsPerSecond: 7}, settings.Host("plain.example.com"), "which has no use for certificates")
	assert.Equal(t, Host{named: true, MaxConcurrent: 1, RequestsPerSecond: 7, CertificateAuthorities: ours}, settings.Host("limited.example.com"),
		"private addresses are for the host itself to open")
	assert.Equal(t, Host{named: true, MaxConcurrent: 3, RequestsPerSecond: 0.5, CertificateAuthorities: ours + "\n" + theirs}, settings.Host("trusted.example.com"))
}

func TestWhetherHostsAreAskedInTheSameWay(t *testing.T) {
	before := parsedHosts(t, `{quay.io: {tokenServers: [sso.example.net]}, "*": {privateAddresses: true}}`)
	for hosts, want := range map[string]bool{
		`{quay.io: {tokenServers: [sso.example.net]}, "*": {privateAddresses: true}}`:                                         true,
		`{quay.io: {tokenServers: [sso.example.net], maxConcurrent: 1}, "*": {privateAddresses: true, requestsPerSecond: 1}}`: true,
		`{quay.io: {tokenServers: [sso.example.net], plainHTTP: true}, "*": {privateAddresses: true}}`:                        false,
		`{quay.io: {tokenServers: [sso.example.net]}, ghcr.io: {}, "*": {privateAddresses: true}}`:                            false,
		`{quay.io: {tokenServers: [sso.example.net]}}`:                                                                        false,
		`{"*": {privateAddresses: true}}`:                                                                                     false,
	} {
		assert.Equal(t, want, before.AsksAs(parsedHosts(t, hosts)), hosts)
	}
	assert.True(t, (&Settings{}).AsksAs(parsedHosts(t, "")), "no hosts are no hosts")
}

// The kubelet mounts a ConfigMap as links to files in a folder that a link of its own leads to.
func TestReadingMountedSettings(t *testing.T) {
	dir := t.TempDir()
	fallback := ForPods()
	read := func() (*Settings, error) { return ReadSettings(dir, fallback) }
	settings, err := read()
	require.NoError(t, err)
	assert.Same(t, fallback, settings, "an empty ConfigMap, or an optional one that is not there")

	mount := func(version string, data map[string]string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o755))
		for key, value := range data {
			require.NoError(t, os.WriteFile(filepath.Join(dir, version, key), []byte(value), 0o644))
			_ = os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)) // there since the last version
		}
		require.NoError(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	mount("..2026_11_22_06_30_00.1", map[string]string{"allowed": "quay.io/**", "hosts": "quay.io: {maxConcurrent: 3}"})
	settings, err = read()
	require.NoError(t, err)
	assert.Error(t, settings.Allows(repositoryOf(t, "nginx")))
	assert.EqualValues(t, 3, settings.Host("quay.io").MaxConcurrent)

	mount("..2026_11_22_06_31_00.2", map[string]string{"allowed": "docker.io/**", "hosts": "", "allow": ""})
	_, err = read()
	assert.EqualError(t, err, "reading the settings for registries in "+dir+`: allow: there is no such setting; the settings are "allowed" and "hosts"`)

	settings, err = ReadSettings(filepath.Join(dir, "nowhere"), fallback)
	require.NoError(t, err)
	assert.Same(t, fallback, settings)
	_, err = ReadSettings(filepath.Join(dir, "allowed"), fallback)
	assert.ErrorContains(t, err, "reading the settings for registries: ")
}

func TestTheRootsOfAHost(t *testing.T) {
	none, err := Host{}.roots()
	require.NoError(t, err)
	assert.Nil(t, none, "the system's")
	system, err := x509.SystemCertPool()
	require.NoError(t, err)
	roots, err := Host{CertificateAuthorities: newCertificate(t, "a") + newCertificate(t, "b")}.roots()
	require.NoError(t, err)
	assert.False(t, roots.Equal(system), "the system's and more")
	assert.NoError(t, checkCertificates("\n"+newCertificate(t, "a")+"\n\n"+newCertificate(t, "b")), "empty lines do no harm")
}

func TestWhereCredentialsMayBeSent(t *testing.T) {
	listed := Host{TokenServers: []string{"sso.example.net", "10.0.0.8:8443"}}
	for _, test := range []struct {
		registry, server string
		want             bool
	}{
		{"quay.io", "quay.io", true},
		{"quay.io", "auth.quay.io", true},
		{"registry.example.co.uk:5000", "auth.example.co.uk", true},
		{"registry.example.com:5000", "registry.example.com:5001", true},
		{"index.docker.io", "auth.docker.io", true},
		{"10.0.0.7:5000", "10.0.0.7:5001", true},
		{"[::1]:5000", "[::1]", true},
		{"localhost:5000", "localhost:5001", true},
		{"registry.example.com", "sso.example.net", true},
		{"registry.example.com", "10.0.0.8:8443", true},

		{"registry.example.com", "sso.example.net:8443", false},
		{"registry.example.com", "evil.example.net", false},
		{"quay.io", "quay.io.evil.example", false},
		{"quay.io", "evilquay.io", false},
		{"quay.io", "io", false},
		{"a.co.uk", "b.co.uk", false},
		{"a.github.io", "b.github.io", false},
		{"registry.apps.svc.cluster.local:5000", "evil.apps.svc.cluster.local", false},
		{"registry.apps.svc", "evil.apps.svc", false},
		{"registry.corp.local", "evil.corp.local", false},
		{"registry.lan", "registry2.lan", false},
		{"registry:5000", "auth", false},
		{"10.0.0.7", "10.0.0.9", false},
		{"10.0.0.7", "1.0.0.7", false},
		{"[2001:db8::1]", "[2001:db8::2]", false},
		{"quay.io", "", false},
		{"", "quay.io", false},
	} {
		assert.Equal(t, test.want, listed.trusts(test.registry, test.server), "%s and %s", test.registry, test.server)
	}
}

func TestAddressesThatMayBeReached(t *testing.T) {
	none := Host{}
	all := Host{PrivateAddresses: true}
	own := Host{PrivateAddresses: true, named: true}
	const public, private, local = 0, 1, 2
	for address, kind := range map[string]int{
		"8.8.8.8": public, "2606:4700::1": public, "::ffff:8.8.8.8": public, "64:ff9b::808:808": public, "2002:808:808::1": public,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.0.1": private, "100.64.0.1": private, "100.127.255.255": private,
		"fd00::1": private, "::ffff:10.0.0.1": private, "64:ff9b::a00:1": private, "2002:a00:1::1": private, "64:ff9b::6440:1": private,
		"172.32.0.1": public, "100.128.0.1": public, "192.167.0.1": public,
		"127.0.0.1": local, "::1": local, "::ffff:127.0.0.1": local, "64:ff9b::7f00:1": local, "2002:7f00:1::1": local,
		"169.254.169.254": local, "fe80::1": local, "fe80::1%eth0": local, "64:ff9b::a9fe:a9fe": local, "2002:a9fe:a9fe::1": local, "::ffff:169.254.169.254": local,
		"0.0.0.0": local, "::": local, "224.0.0.1": local, "ff02::1": local, "255.255.255.255": local, "0.1.2.3": local, "192.0.0.8": local, "198.18.0.1": local, "240.0.0.1": local, "fec0::1": local,
	} {
		parsed := netip.MustParseAddr(address)
		assert.Equal(t, kind == public, none.mayReach(parsed), "%s", address)
		assert.Equal(t, kind != local, all.mayReach(parsed), "%s, with private addresses of all hosts", address)
		assert.True(t, own.mayReach(parsed), "%s, with those of this host", address)
	}
}

// Whatever is parsed can be looked up, and whatever holds for a host is within its bounds.
func FuzzSettings(f *testing.F) {
	for _, hosts := range []string{
		"", "quay.io: {maxConcurrent: 3}", "a.b: &a {privateAddresses: true}\nc.d: *a", `"*": {requestsPerSecond: 1e-3}`, "a.b: {<<: {plainHTTP: true}}",
		"? [a]\n: {}", "~: {}", "1: {}", "[::1]: {tokenServers: [x, '[::1]:5']}", "docker.io: null", "a: {requestsPerSecond: .nan}", "{", "---\n---\n", "a.b:0443: {pullSecret: x}",
		`"*": {certificateAuthorities: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"}`,
	} {
		f.Add("quay.io/**\n#\n*/a", hosts, "quay.io", "nginx")
	}
	f.Add("[::1]/*", "", "[::1]:443", "[::1]/a")
	f.Fuzz(func(t *testing.T, allowed, hosts, authority, image string) {
		settings, err := ParseSettings(map[string]string{"allowed": allowed, "hosts": hosts})
		if err != nil {
			assert.Nil(t, settings)
			return
		}
		host := settings.Host(authority)
		assert.True(t, host.MaxConcurrent >= 1 && host.MaxConcurrent <= mostConcurrent, "%d", host.MaxConcurrent)
		assert.True(t, host.RequestsPerSecond > 0 && host.RequestsPerSecond <= mostRequestsPerSecond, "%v", host.RequestsPerSecond)
		_, err = host.roots()
		assert.NoError(t, err)
		for known := range settings.hosts {
			assert.True(t, settings.Host(known).named, "%q is not found by its own name", known)
		}
		if repository, err := name.NewRepository(image); err == nil {
			if err := settings.Allows(repository); err != nil {
				assert.Equal(t, Blocked, ReasonOf(err))
				assert.True(t, errors.As(err, new(*Error)))
			}
		}
	})
}
