package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const since = "2026-11-22T10:00:00Z"

// judge gives the lines about logs in testdata.
func judge(args ...string) ([]string, error) {
	var out bytes.Buffer
	err := audit(append([]string{"-config", "testdata/config"}, args...), &out)
	return strings.Split(strings.TrimSpace(out.String()), "\n"), err
}

func TestWhatWasNeverUsedIsNamed(t *testing.T) {
	lines, err := judge("-since", since, "testdata/allowed.log")
	assert.EqualError(t, err, "2 findings in 5 requests under 5 permissions")
	assert.Equal(t, []string{
		"never used: image-catalog:webhook: list catalogimages (imagecatalog.dev), given by the ClusterRole imagecatalog-webhook",
		"never used: image-catalog:webhook: get secrets other-certs (core), given by the Role webhook",
	}, lines)
}

func TestEarlierRunsDoNotCount(t *testing.T) {
	lines, err := judge("testdata/allowed.log")
	require.Error(t, err)
	assert.Len(t, lines, 1, "the list was used before")

	_, err = judge("-since", "2026-11-23T00:00:00Z", "testdata/allowed.log")
	assert.ErrorContains(t, err, "no log has a request of the catalog's accounts since 2026-11-23")
}

func TestWhatWasForbiddenIsNamed(t *testing.T) {
	lines, err := judge("-forbidden", "-since", since, "testdata/allowed.log", "testdata/refused.log")
	assert.EqualError(t, err, "2 findings in 8 requests under 5 permissions")
	assert.Equal(t, []string{
		"forbidden: image-catalog:webhook: list /api/v1/secrets: secrets is forbidden (2 times)",
		"forbidden: image-catalog:webhook: update /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/v: " +
			"cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on (1 times)",
	}, lines)
}

func TestARefusalOfWhatTheManifestsGrantLacksNothing(t *testing.T) {
	lines, err := judge("-forbidden", "-since", since, "testdata/transient.log")
	assert.EqualError(t, err, "1 findings in 3 requests under 5 permissions")
	assert.Equal(t, []string{"forbidden: image-catalog:webhook: get /another: secrets is forbidden (1 times)"}, lines)
}

func TestNothingFoundIsSaid(t *testing.T) {
	lines, err := judge("-forbidden", "-since", since, "testdata/allowed.log")
	require.NoError(t, err, "a namespace that is being deleted is no lack of permissions")
	assert.Equal(t, []string{"audit: nothing found in 5 requests under 5 permissions"}, lines)
}

func TestAPermissionHoldsWhereItIsGiven(t *testing.T) {
	g := grant{account: "a:b", namespace: "here", verb: "get", group: "", resource: "secrets", name: "one"}
	asked := request{account: "a:b", namespace: "here", verb: "get", resource: "secrets", name: "one"}
	assert.True(t, g.allows(asked))
	for what, change := range map[string]func(*request){
		"account":     func(r *request) { r.account = "a:c" },
		"namespace":   func(r *request) { r.namespace = "there" },
		"verb":        func(r *request) { r.verb = "list" },
		"group":       func(r *request) { r.group = "apps" },
		"resource":    func(r *request) { r.resource = "configmaps" },
		"subresource": func(r *request) { r.resource = "secrets/status" },
		"name":        func(r *request) { r.name = "two" },
	} {
		other := asked
		change(&other)
		assert.False(t, g.allows(other), what)
	}
	g.namespace, g.name = "", ""
	asked.namespace, asked.name = "there", "two"
	assert.True(t, g.allows(asked), "cluster-wide, every object")
}

func TestTheCatalogsOwnManifestsGrantSomething(t *testing.T) {
	grants, err := readGrants("../../config")
	require.NoError(t, err)
	accounts := map[string]bool{}
	for _, g := range grants {
		accounts[g.account] = true
		assert.NotContains(t, []string{g.verb, g.group, g.resource}, "*", "%s: a wildcard is never all used", g)
	}
	assert.Equal(t, map[string]bool{"image-catalog:controller": true, "image-catalog:query": true, "image-catalog:webhook": true}, accounts)
}

func TestBadInputIsRefused(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.log")
	require.NoError(t, os.WriteFile(broken, []byte("{}\nnot json\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "binding.yaml"),
		[]byte("{kind: RoleBinding, metadata: {name: x, namespace: n}, roleRef: {kind: Role, name: lost}, subjects: []}"), 0o600))
	for want, args := range map[string][]string{
		"name at least one audit log":              nil,
		"invalid value":                            {"-since", "yesterday", broken},
		"broken.log, line 2":                       {"-config", "testdata/config", broken},
		"reading an audit log":                     {"-config", "testdata/config", filepath.Join(dir, "absent.log")},
		`names the Role "lost", which no manifest`: {"-config", dir, broken},
		"binds a role to a service account":        {"-config", "testdata", broken},
	} {
		assert.ErrorContains(t, audit(args, io.Discard), want)
	}
}
