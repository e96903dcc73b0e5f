package registry

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Keyring opens registries with the credentials of Docker configurations, each for its host and no other. It is an
// authn.Keychain.
//
// A key of a configuration is a host, with or without a path: quay.io, quay.io/acme, *.example.com. It fits a repository
// if the hosts are equal, port included, and its path is a beginning of the repository's in whole segments: quay.io/acme
// is neither for quay.io/acme-secret nor for quay.io.evil.example. As in Kubernetes' pull secrets, * stands for a part of
// the host between two dots. Of several keys that fit, the one with the longest path counts, then the one without *,
// then one that can be read, then the first.
//
// An entry that cannot be read does no harm to the others: it is an error for the repositories that it fits.
type Keyring struct {
	keys []key
}

type key struct {
	host       string // lower case, may hold *
	path       []string
	credential Credential
	broken     error // why there is no credential
}

// Credential is what opens a registry, and where it is from, so that a message can name it.
type Credential struct {
	// Source in words, for example: the pull secret radar/quay.
	Source string

	config authn.AuthConfig
}

// NewCredential is that of a user name and a password.
func NewCredential(source, username, password string) Credential {
	return Credential{Source: source, config: authn.AuthConfig{Username: username, Password: password}}
}

// Authorization implements authn.Authenticator.
func (c *Credential) Authorization() (*authn.AuthConfig, error) { return &c.config, nil }

// Set adds the credential for a host.
func (k *Keyring) Set(host string, credential Credential) {
	k.keys = append(k.keys, key{host: canonicalKeyHost(host), credential: credential})
}

// dockerConfig is a Docker config.json, or, without auths, a .dockercfg.
type dockerConfig struct {
	Auths dockerAuths `json:"auths"`
}

// dockerAuths are decoded one by one: who wrote one wrong has written the others right.
type dockerAuths map[string]json.RawMessage

type dockerAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"` // base64 of username:password
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// AddConfigJSON adds the credentials of a Docker config.json, the content of a secret of type
// kubernetes.io/dockerconfigjson. The error tells no secret.
func (k *Keyring) AddConfigJSON(source string, content []byte) error {
	var config dockerConfig
	if err := json.Unmarshal(content, &config); err != nil {
		return fmt.Errorf("%s is no Docker config.json: %s", source, withoutContent(err))
	}
	k.add(source, config.Auths)
	return nil
}

// AddDockerCfg adds those of the older .dockercfg, the content of a secret of type kubernetes.io/dockercfg.
func (k *Keyring) AddDockerCfg(source string, content []byte) error {
	var auths dockerAuths
	if err := json.Unmarshal(content, &auths); err != nil {
		return fmt.Errorf("%s is no .dockercfg: %s", source, withoutContent(err))
	}
	k.add(source, auths)
	return nil
}

// withoutContent keeps what a decoder quotes, which may be a secret, out of messages.
func withoutContent(err error) string {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("the JSON is broken at byte %d", syntax.Offset)
	case errors.As(err, &wrongType):
		return fmt.Sprintf("the JSON has a %s at byte %d", strings.Fields(wrongType.Value)[0], wrongType.Offset)
	default:
		return "the JSON cannot be read"
	}
}

func (k *Keyring) add(source string, auths dockerAuths) {
	for _, name := range slices.Sorted(maps.Keys(auths)) {
		host, segments := splitKey(name)
		added := key{host: host, path: segments}
		config, err := parseAuth(auths[name])
		if err != nil {
			added.broken = fmt.Errorf("%s, entry %.80q: %w", source, name, err)
		} else {
			added.credential = Credential{Source: source, config: config}
		}
		k.keys = append(k.keys, added)
	}
}

func parseAuth(content json.RawMessage) (authn.AuthConfig, error) {
	var a dockerAuth
	var wrongType *json.UnmarshalTypeError
	if err := json.Unmarshal(content, &a); errors.As(err, &wrongType) {
		what := "it"
		if wrongType.Field != "" {
			what = "its " + wrongType.Field
		}
		return authn.AuthConfig{}, fmt.Errorf("%s is a JSON %s", what, strings.Fields(wrongType.Value)[0])
	} else if err != nil {
		return authn.AuthConfig{}, errors.New(withoutContent(err))
	}
	return a.authConfig()
}

func (a dockerAuth) authConfig() (authn.AuthConfig, error) {
	config := authn.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
	if a.Auth == "" {
		return config, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimRight(a.Auth, "\x00"))
	if err != nil {
		return authn.AuthConfig{}, errors.New("its auth is no base64")
	}
	username, password, ok := strings.Cut(string(decoded), ":")
	if !ok {
		return authn.AuthConfig{}, errors.New("its auth is not the base64 of user:password")
	}
	config.Username = cmp.Or(config.Username, username)
	config.Password = cmp.Or(config.Password, strings.TrimRight(password, "\x00"))
	return config, nil
}

// splitKey reads a key in the ways that tools write them: with a scheme, and with the API's version as a path.
func splitKey(text string) (host string, segments []string) {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://")
	host, within, _ := strings.Cut(text, "/")
	within = strings.Trim(within, "/")
	if within == "v1" || within == "v2" {
		within = ""
	}
	if within != "" {
		segments = strings.Split(within, "/")
	}
	return canonicalKeyHost(host), segments
}

// canonicalKeyHost gives the host that go-containerregistry gives a parsed reference.
func canonicalKeyHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ":443")
	switch host {
	case "docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return name.DefaultRegistry
	}
	return host
}

// Resolve implements authn.Keychain. Without a key that fits it gives authn.Anonymous. The error is of an entry that cannot
// be read, and tells no secret.
func (k *Keyring) Resolve(target authn.Resource) (authn.Authenticator, error) {
	host := canonicalKeyHost(target.RegistryStr())
	within := strings.TrimPrefix(target.String(), target.RegistryStr())
	segments := strings.Split(strings.Trim(within, "/"), "/")
	var best *key
	for i := range k.keys {
		if candidate := &k.keys[i]; candidate.fits(host, segments) && (best == nil || candidate.before(best)) {
			best = candidate
		}
	}
	switch {
	case best == nil:
		return authn.Anonymous, nil
	case best.broken != nil:
		return nil, best.broken
	}
	return &best.credential, nil
}

func (k *key) fits(host string, segments []string) bool {
	return k.fitsHost(host) && len(k.path) <= len(segments) && slices.Equal(k.path, segments[:len(k.path)])
}

// fitsHost holds label against label, so that a star never stands for a dot.
func (k *key) fitsHost(host string) bool {
	if !strings.Contains(k.host, "*") {
		return k.host == host
	}
	wanted, labels := strings.Split(k.host, "."), strings.Split(host, ".")
	if len(wanted) != len(labels) {
		return false
	}
	for i := range wanted {
		if ok, err := path.Match(wanted[i], labels[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// before says whether k is the more exact of two keys that fit.
func (k *key) before(other *key) bool {
	if len(k.path) != len(other.path) {
		return len(k.path) > len(other.path)
	}
	if star := strings.Contains(k.host, "*"); star != strings.Contains(other.host, "*") {
		return !star
	}
	return k.broken == nil && other.broken != nil
}
