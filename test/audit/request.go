package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// request is what an account asked of an API server, as far as permissions go.
type request struct {
	account, namespace, verb, group, resource, name string
}

// event is what of a line of an audit log (audit.k8s.io/v1) is of interest.
type event struct {
	Verb       string    `json:"verb"`
	RequestURI string    `json:"requestURI"`
	Received   time.Time `json:"requestReceivedTimestamp"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	Object *struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		Group       string `json:"apiGroup"`
	} `json:"objectRef"`
	Response struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"responseStatus"`
	Annotations map[string]string `json:"annotations"`
}

// tally is what was asked, and what was refused, in all logs.
type tally struct {
	grants   []grant
	accounts map[string]bool // whose requests count

	requests int
	granted  map[request]int
	refused  map[string]int // by what is to be said about it
}

func newTally(grants []grant) *tally {
	t := &tally{grants: grants, accounts: map[string]bool{}, granted: map[request]int{}, refused: map[string]int{}}
	for _, g := range grants {
		t.accounts[g.account] = true
	}
	return t
}

// read adds the log at a path. A last line that is still being written is left out.
func (t *tally) read(path string, since time.Time) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading an audit log: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	lines := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("reading %s, line %d: %w", path, n, err)
		}
		if e.Received.Before(since) {
			continue
		}
		if account, ok := strings.CutPrefix(e.User.Username, "system:serviceaccount:"); ok && t.accounts[account] {
			t.add(account, e)
		}
	}
}

// add counts a request. A refusal of what the manifests grant lacks nothing: the roles were being removed, or the API
// server had just started and not read them yet.
func (t *tally) add(account string, e event) {
	t.requests++
	asked := e.request(account)
	switch {
	case namesAnOwner(e), isForbidden(e) && !slices.ContainsFunc(t.grants, func(g grant) bool { return g.allows(asked) }):
		t.refused[fmt.Sprintf("forbidden: %s: %s %s: %s", account, e.Verb, e.RequestURI, reason(e))]++
	case isForbidden(e), e.Object == nil: // the latter is a path such as /version
	default:
		t.granted[asked]++
	}
}

func (e event) request(account string) request {
	if e.Object == nil {
		return request{account: account, verb: e.Verb}
	}
	asked := request{account: account, namespace: e.Object.Namespace, verb: e.Verb, group: e.Object.Group, resource: e.Object.Resource, name: e.Object.Name}
	if e.Object.Subresource != "" {
		asked.resource += "/" + e.Object.Subresource
	}
	return asked
}

// isForbidden tells a refusal by RBAC from what else is answered by 403, such as creating something in a namespace that is
// being deleted.
func isForbidden(e event) bool { return e.Annotations["authorization.k8s.io/decision"] == "forbid" }

// namesAnOwner tells a refusal for naming an owner that the account may not finalize; the request itself was granted.
func namesAnOwner(e event) bool {
	return e.Response.Code == http.StatusForbidden && strings.Contains(e.Response.Message, "blockOwnerDeletion")
}

func reason(e event) string {
	if e.Response.Message != "" {
		return e.Response.Message
	}
	return "not allowed"
}

// refusals are the lines about requests that lacked a permission.
func (t *tally) refusals() (lines []string) {
	for _, line := range slices.Sorted(maps.Keys(t.refused)) {
		lines = append(lines, fmt.Sprintf("%s (%d times)", line, t.refused[line]))
	}
	return lines
}

// unused are the lines about permissions that no request needed.
func (t *tally) unused() (lines []string) {
	for _, g := range t.grants {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(t.granted)), g.allows) {
			lines = append(lines, fmt.Sprintf("never used: %s", g))
		}
	}
	return lines
}
