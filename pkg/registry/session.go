package registry

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// session is one look-up, or the reading of blobs, in one repository with one set of credentials.
type session struct {
	repository name.Repository
	account    *account
	credential string // that opens it, in words; empty without any
	scheme     string
	http       *http.Client // set by open
	reused     bool         // http is from an earlier session
	unproven   bool         // http asks without a handshake, and nothing was answered yet
}

func (s *session) registry() string { return s.repository.RegistryStr() }

// accountKey tells accounts of a registry apart, without holding their secrets.
type accountKey struct {
	authority   string // of the registry, as authorityOf gives it
	credentials [sha256.Size]byte
}

// account is who asks a registry. Its requests go through RoundTrip.
type account struct {
	accountKey
	auth     authn.Authenticator
	throttle throttle
	client   *Client
}

// prepare finds out who asks, without sending anything. A nil keychain asks anonymously. The error is an *Error.
func (c *Client) prepare(ctx context.Context, repository name.Repository, keychain authn.Keychain) (*session, error) {
	if err := c.settings.Load().Allows(repository); err != nil {
		return nil, err
	}
	authority := authorityOfRegistry(repository)
	s := &session{repository: repository, scheme: c.host(authority, false).scheme()}
	auth, config, err := resolve(ctx, repository, keychain)
	if err != nil {
		return nil, &Error{Reason: Unauthorized, Host: s.registry(), Subject: repository.Name(), Err: err}
	}
	s.credential, s.account = nameOf(auth), c.account(authority, auth, config)
	return s, nil
}

func authorityOfRegistry(repository name.Repository) string {
	return authorityOf(&url.URL{Scheme: "https", Host: repository.RegistryStr()})
}

// errCredentials is the failure to find out who asks.
var errCredentials = errors.New("reading the credentials")

func resolve(ctx context.Context, repository name.Repository, keychain authn.Keychain) (authn.Authenticator, *authn.AuthConfig, error) {
	if keychain == nil {
		return authn.Anonymous, &authn.AuthConfig{}, nil
	}
	auth, err := authn.Resolve(ctx, keychain, repository)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	if *config == (authn.AuthConfig{}) {
		return authn.Anonymous, config, nil
	}
	return auth, config, nil
}

func (c *Client) account(authority string, auth authn.Authenticator, config *authn.AuthConfig) *account {
	key := accountKey{authority: authority}
	if auth != authn.Anonymous {
		secret, _ := json.Marshal(config) // of strings: it cannot fail
		key.credentials = sha256.Sum256(secret)
	}
	if known, ok := c.accounts.Get(key); ok {
		return known
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if known, ok := c.accounts.Get(key); ok {
		return known
	}
	a := &account{accountKey: key, auth: auth, client: c}
	c.accounts.Add(key, a)
	return a
}

func nameOf(auth authn.Authenticator) string {
	if known, ok := auth.(*Credential); ok {
		return known.Source
	}
	if auth == authn.Anonymous {
		return ""
	}
	return "the given credentials"
}

// RoundTrip sends a request by way of its host, when the registry lets this account ask.
func (a *account) RoundTrip(request *http.Request) (*http.Response, error) {
	authority := authorityOf(request.URL)
	return a.throttle.pass(request, a.client.host(authority, authority != a.authority))
}

// failure gives an error of the network or of the bytes its reason and its subject.
func (s *session) failure(subject string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Reason: reasonFor(err), Host: s.registry(), Subject: subject, Credential: s.credential, RetryAfter: retryAfter(err), Err: err}
}

// personal names the caller's own credential in a failure that it shares with others: theirs may be the same under another
// name, which is none of its business.
func (s *session) personal(err error) error {
	var known *Error
	if !errors.As(err, &known) || known.Credential == s.credential {
		return err
	}
	own := *known
	own.Credential = s.credential
	return &own
}

// interrupted is failure for whoever leaves before there is an answer.
func (s *session) interrupted(subject string) func(error) error {
	return func(err error) error { return s.failure(subject, err) }
}
