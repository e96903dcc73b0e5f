package registry

import (
	"net/http"
	"sync"
)

// keeper keeps what opens one registry away from other hosts. The client libraries do so too; this is the second lock,
// and the one for what they do not see, such as a token server that redirects a request with a refresh token in it.
type keeper struct {
	own  map[string]bool // hosts that may be sent credentials; complete before there is one to send
	next http.RoundTripper

	mutex sync.Mutex
	sent  map[string]bool // the latest Authorization headers that went there
}

// mostSent is how many of them are remembered: tokens are renewed every few minutes, and one that is much older is void.
const mostSent = 16

func (k *keeper) RoundTrip(request *http.Request) (*http.Response, error) {
	header := request.Header.Get("Authorization")
	carriesBody := request.Body != nil && request.Body != http.NoBody
	authority := authorityOf(request.URL)
	switch {
	case k.own[authority]:
		k.remember(header)
	case carriesBody || k.remembers(header):
		return nil, faultf(Blocked, "credentials are not sent on to %.255s", authority)
	}
	return k.next.RoundTrip(request)
}

func (k *keeper) remember(header string) {
	if header == "" {
		return
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.sent == nil || (len(k.sent) >= mostSent && !k.sent[header]) {
		k.sent = map[string]bool{}
	}
	k.sent[header] = true
}

func (k *keeper) remembers(header string) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.sent[header]
}
