package faults

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Ledger has all requests of all proxies, and what opens which host. It holds hosts to the rule that none is sent what
// opens another.
type Ledger struct {
	mutex    sync.Mutex
	requests []*Request
	secrets  map[string][]string // and the hosts that may be sent each
}

func (l *Ledger) enter(request *Request) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.requests = append(l.requests, request)
}

// Entrust says that a secret is for these hosts and no others. Each host has its own; one that could be a part of
// ordinary text, or needs escapes in a form, would not be found.
func (l *Ledger) Entrust(secret string, hosts ...string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.secrets == nil {
		l.secrets = map[string][]string{}
	}
	l.secrets[secret] = append(l.secrets[secret], hosts...)
}

// Saw says whether a host was sent a secret.
func (l *Ledger) Saw(host, secret string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.ContainsFunc(l.requests, func(r *Request) bool { return r.Host == host && strings.Contains(r.plain(), secret) })
}

// Check names each request to a host with a secret in it that is for other hosts. It also says how much was held against
// how many secrets, because nothing is found in nothing.
func (l *Ledger) Check() (leaks []string, summary string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	secrets := slices.Sorted(maps.Keys(l.secrets))
	carried := 0
	for _, request := range l.requests {
		text := request.plain()
		for _, secret := range secrets {
			if !strings.Contains(text, secret) {
				continue
			}
			carried++
			if owners := l.secrets[secret]; !slices.Contains(owners, request.Host) {
				leaks = append(leaks, fmt.Sprintf("%s was sent %.40q, which is for %s: %s %s",
					request.Host, secret, strings.Join(owners, " and "), request.Method, request.Target))
			}
		}
	}
	return leaks, fmt.Sprintf("%d requests, %d of them with one of %d secrets", len(l.requests), carried, len(secrets))
}

// plain is all of a request in which a secret can be, with the encoding of basic authentication undone.
func (r *Request) plain() string {
	var text strings.Builder
	text.WriteString(r.Target + "\n" + r.Body + "\n")
	for _, values := range r.Header {
		for _, value := range values {
			text.WriteString(value + "\n")
			if _, encoded, ok := strings.Cut(value, "Basic "); ok {
				decoded, _ := base64.StdEncoding.DecodeString(encoded) // what does not decode is there as it came
				text.Write(append(decoded, '\n'))
			}
		}
	}
	return text.String()
}
