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

// tally is what was asked, and what was refused, in all logs. They are read in the order of time.
type tally struct {
	accounts map[string]bool // whose requests count
	roles    map[string]bool // that give them their permissions, by key
	gone     map[string]bool // those of roles that are deleted: the installation is being removed

	requests int
	granted  map[request]int
	refused  map[string]int // by what is to be said about it
}

func newTally(grants []grant) *tally {
	t := &tally{
		accounts: map[string]bool{}, roles: map[string]bool{}, gone: map[string]bool{},
		granted: map[request]int{}, refused: map[string]int{},
	}
	for _, g := range grants {
		kind, name, _ := strings.Cut(g.role, " ")
		t.accounts[g.account], t.roles[key(kind, g.namespace, name)] = true, true
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
		t.follow(e)
		if account, ok := strings.CutPrefix(e.User.Username, "system:serviceaccount:"); ok && t.accounts[account] {
			t.add(account, e)
		}
	}
}

// follow learns of roles that are deleted and made again.
func (t *tally) follow(e event) {
	if e.Object == nil || e.Response.Code >= http.StatusBadRequest {
		return
	}
	kind, ok := map[string]string{"clusterroles": "ClusterRole", "roles": "Role"}[e.Object.Resource]
	role := key(kind, e.Object.Namespace, e.Object.Name)
	if !ok || !t.roles[role] {
		return
	}
	switch e.Verb {
	case "delete":
		t.gone[role] = true
	case "create", "update", "patch":
		delete(t.gone, role)
	}
}

// add counts a request. One that was refused while a role was gone, or before the API server knew any, lacked a
// permission that the manifests give.
func (t *tally) add(account string, e event) {
	t.requests++
	if lacksPermission(e) {
		if len(t.gone) > 0 || knowsNoRoles(e) {
			return
		}
		t.refused[fmt.Sprintf("forbidden: %s: %s %s: %s", account, e.Verb, e.RequestURI, reason(e))]++
		return
	}
	if e.Object == nil { // a path such as /version
		return
	}
	asked := request{account: account, namespace: e.Object.Namespace, verb: e.Verb, group: e.Object.Group, resource: e.Object.Resource, name: e.Object.Name}
	if e.Object.Subresource != "" {
		asked.resource += "/" + e.Object.Subresource
	}
	t.granted[asked]++
}

const decision = "authorization.k8s.io/decision"

// lacksPermission tells a refusal by RBAC, and one for naming an owner that the account may not finalize, from what
// else is answered by 403, such as creating something in a namespace that is being deleted.
func lacksPermission(e event) bool {
	return e.Annotations[decision] == "forbid" ||
		e.Response.Code == http.StatusForbidden && strings.Contains(e.Response.Message, "blockOwnerDeletion")
}

// knowsNoRoles tells a refusal by an API server that has just started from others: it has not read yet what every API
// server has, a role for whoever is authenticated.
func knowsNoRoles(e event) bool {
	return strings.Contains(e.Response.Message, `clusterrole.rbac.authorization.k8s.io "system:discovery" not found`)
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
func (t *tally) unused(grants []grant) (lines []string) {
	for _, g := range grants {
		if !t.uses(g) {
			lines = append(lines, fmt.Sprintf("never used: %s", g))
		}
	}
	return lines
}

// uses says whether a request needed the permission.
func (t *tally) uses(g grant) bool {
	for r := range t.granted {
		if g.allows(r) {
			return true
		}
	}
	return false
}
