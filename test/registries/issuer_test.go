//go:build registries

package registries

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// issuer is a token server: it gives tokens that the registry with tokens verifies (distribution's "Token Authentication
// Specification"), for one user, who comes with a password or with a refresh token.
type issuer struct {
	user, password, refresh string
	audience                string // host that the tokens are for
	signer                  *tls.Certificate

	mutex    sync.Mutex
	lifetime time.Duration
	until    time.Time // when the last token ends
}

// leeway is how much longer than they say distribution takes tokens.
const leeway = time.Minute

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !i.knows(r) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	token, err := i.issue(r.FormValue("scope"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	ledger.Entrust(token, i.audience)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "access_token": token}) // to a client that may have left
}

func (i *issuer) knows(r *http.Request) bool {
	if r.Method == http.MethodPost {
		return r.PostFormValue("refresh_token") == i.refresh
	}
	user, password, ok := r.BasicAuth()
	return ok && user == i.user && password == i.password
}

// issue signs a JSON Web Token (RFC 7519) for a scope such as repository:acme/os:pull.
func (i *issuer) issue(scope string) (string, error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	now := time.Now()
	i.until = now.Add(i.lifetime).Truncate(time.Second)
	resource := strings.Split(scope, ":")
	if len(resource) != 3 {
		return "", fmt.Errorf("%q is no scope", scope)
	}
	header := map[string]any{"typ": "JWT", "alg": "ES256", "x5c": [][]byte{i.signer.Certificate[0]}}
	claims := map[string]any{
		"iss": service, "sub": i.user, "aud": service, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": i.until.Add(-leeway).Unix(),
		"access": []any{map[string]any{"type": resource[0], "name": resource[1], "actions": strings.Split(resource[2], ",")}},
	}
	return i.sign(header, claims)
}

func (i *issuer) sign(parts ...map[string]any) (string, error) {
	encoded := make([]string, len(parts))
	for n, part := range parts {
		text, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		encoded[n] = base64.RawURLEncoding.EncodeToString(text)
	}
	content := strings.Join(encoded, ".")
	sum := sha256.Sum256([]byte(content))
	r, s, err := ecdsa.Sign(rand.Reader, i.signer.PrivateKey.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		return "", err
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...) // RFC 7518, section 3.4
	return content + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// lasting has further tokens last so long.
func (i *issuer) lasting(lifetime time.Duration) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.lifetime = lifetime
}

// ends is when the last token does.
func (i *issuer) ends() time.Time {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.until
}

// tokens is a registry with tokens, and the token server of its own that it sends clients to.
type tokens struct {
	*front
	server *faults.Proxy
	next   *faults.Proxy // to which the registry may move
	issuer *issuer
}

// newTokens puts the token servers on another host, which the registry's entry lists.
func newTokens(t *testing.T) *tokens {
	t.Helper()
	f := newFront(t, guarded)
	signer, err := authority.Issue("token-server.example", time.Now().Add(time.Hour))
	require.NoError(t, err)
	r := &tokens{front: f, issuer: &issuer{user: "reader", password: newSecret(), refresh: newSecret(), audience: f.Host, signer: signer, lifetime: time.Hour}}
	r.server = newProxy(t, faults.Site{Name: "localhost"}, &backend{handler: r.issuer})
	r.next = newProxy(t, faults.Site{Name: "localhost"}, &backend{handler: r.issuer})
	r.entry = plain + localhost + fmt.Sprintf("%q: {plainHTTP: true, privateAddresses: true, tokenServers: [%q, %q]}\n", f.Host, r.server.Host, r.next.Host)
	r.inject()
	r.keys = &registry.Keyring{}
	r.keys.Set(f.Host, registry.NewCredential("the test's secret", r.issuer.user, r.issuer.password))
	for _, secret := range []string{r.issuer.password, r.issuer.refresh} {
		ledger.Entrust(secret, f.Host, r.server.Host, r.next.Host)
	}
	return r
}

// localhost lets every port of that name be asked by HTTP. To the client it is another host than 127.0.0.1.
const localhost = "localhost: {plainHTTP: true, privateAddresses: true}\n"

// inject adds faults to the one that names the token server.
func (r *tokens) inject(more ...faults.Fault) {
	r.Inject(append(more, faults.Realm(r.server.URL+"/token"))...)
}
