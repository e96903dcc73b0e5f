package tekton

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folders lists the manifests in the order in which they must be applied:
// namespace, rights, kinds, configuration, programs. Left out are the remote
// resolvers, cloud events and the autoscaler of the webhook, which the
// catalog does not use.
func folders() []string {
	return []string{
		"100-namespace/*.yaml",
		"2*.yaml",
		"300-crds/*.yaml",
		"500-*.yaml",
		"config-*.yaml",
		"clusterrole-*.yaml",
		"controller.yaml",
		"webhook.yaml",
	}
}

// edit is a change to the manifests' text that must find something to change.
type edit struct{ old, new string }

// edits adapts a release's sources the way its publishing does, and to a
// small cluster: the pods of runs may be refused root everywhere, and probes
// look early and often so that nobody waits for them.
func (t Tekton) edits(replacements map[string]string) ([]edit, error) {
	version, err := os.ReadFile(t.Binaries.Path("tekton/version"))
	if err != nil {
		return nil, fmt.Errorf("read Tekton's version: %w", err)
	}
	edits := []edit{
		{`"devel"`, `"` + string(version) + `"`},
		{`set-security-context: "false"`, `set-security-context: "true"`},
		{"initialDelaySeconds: 5", "initialDelaySeconds: 1"},
		{"periodSeconds: 10", "periodSeconds: 1"},
	}
	for old, new := range replacements {
		edits = append(edits, edit{old, new})
	}
	return edits, nil
}

// render joins the manifests to one stream with the edits made.
func (t Tekton) render(replacements map[string]string) ([]byte, error) {
	var stream strings.Builder
	for _, pattern := range folders() {
		files, err := filepath.Glob(t.Binaries.Path(filepath.Join("tekton", "config", pattern)))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read Tekton's manifests: %w", err)
			}
			stream.WriteString("---\n" + string(bytes.TrimSpace(content)) + "\n")
		}
	}
	edits, err := t.edits(replacements)
	if err != nil {
		return nil, err
	}
	text := stream.String()
	for _, edit := range edits {
		if !strings.Contains(text, edit.old) {
			return nil, fmt.Errorf("manifests of Tekton no longer contain %q: adapt the edits", edit.old)
		}
		text = strings.ReplaceAll(text, edit.old, edit.new)
	}
	return []byte(text), nil
}
