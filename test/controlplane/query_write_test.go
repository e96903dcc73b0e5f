//go:build controlplane

package controlplane

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// send writes through the query server, and gives the status and the answer.
func send(t *testing.T, client *http.Client, token, method, path, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+installed.QueryAddress+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer := map[string]any{}
	if response.StatusCode != http.StatusNoContent {
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	}
	return response.StatusCode, answer
}

// What is written through the query server is written with the caller's rights, and judged as by kubectl.
func TestEntriesAreWrittenThroughTheQueryServer(t *testing.T) {
	client, namespace := startQuery(t), newNamespace(t)
	ref, digest := pushed(t)
	editor, _ := newToken(t, namespace, "editor")
	viewer, _ := newToken(t, namespace, "viewer")
	require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", "edit", "--namespace", namespace, "--clusterrole", "imagecatalog-edit", "--serviceaccount", namespace+":editor"))
	require.NoError(t, kubectl(t.Context(), "", "create", "rolebinding", "view", "--namespace", namespace, "--clusterrole", "imagecatalog-view", "--serviceaccount", namespace+":viewer"))
	images := "/v1/namespaces/" + namespace + "/images"
	addition := func(name string) string {
		return `{"metadata":{"name":"` + name + `"},"spec":{"image":"` + ref.Name() + `"}}`
	}
	require.Eventually(t, func() bool {
		status, _ := send(t, client, editor, http.MethodPost, images+"?dryRun=true", addition("autosd"))
		return status == http.StatusCreated
	}, patience, pause, "RBAC has heard of the editor")

	status, answer := send(t, client, viewer, http.MethodPost, images, addition("autosd"))
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, answer["detail"], `cannot create resource "catalogimages"`)
	status, answer = send(t, client, editor, http.MethodPost, images, addition("autosd"))
	require.Equal(t, http.StatusCreated, status, answer)
	assert.Equal(t, "system:serviceaccount:"+namespace+":editor", answer["publishedBy"])
	status, answer = send(t, client, editor, http.MethodPost, images, addition("again"))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, answer["detail"], "autosd", "the webhook names the entry of the same image")
	status, answer = send(t, client, editor, http.MethodPost, images, `{"metadata":{"name":"bad"},"spec":{"image":"UPPER CASE"}}`)
	assert.GreaterOrEqual(t, status, 400)
	assert.Less(t, status, 500, answer)

	status, answer = send(t, client, editor, http.MethodPost, images+"/autosd/verify?timeout=1m", "")
	assert.Equal(t, http.StatusOK, status, answer)
	assert.Equal(t, "Available", answer["phase"])
	require.IsType(t, map[string]any{}, answer["result"])
	assert.Equal(t, "Resolved", answer["result"].(map[string]any)["outcome"])
	assert.Equal(t, digest, answer["result"].(map[string]any)["message"])
	status, _ = send(t, client, viewer, http.MethodPost, images+"/autosd/verify", "")
	assert.Equal(t, http.StatusForbidden, status)

	status, answer = send(t, client, editor, http.MethodPost, images+"/autosd/recall", `{"reason":"the Wi-Fi driver loses its connection"}`)
	assert.Equal(t, http.StatusOK, status, answer)
	assert.Equal(t, "Recalled", answer["lifecycle"])
	status, _ = send(t, client, viewer, http.MethodDelete, images+"/autosd", "")
	assert.Equal(t, http.StatusForbidden, status)
	status, _ = send(t, client, editor, http.MethodDelete, images+"/autosd", "")
	assert.Equal(t, http.StatusNoContent, status)
}
