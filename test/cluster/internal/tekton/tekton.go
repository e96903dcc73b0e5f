// Package tekton installs Tekton Pipelines from its own manifests, with images
// made of the binaries that were built here.
package tekton

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"imagecatalog.dev/catalog/test/cluster/internal/binary"
	"imagecatalog.dev/catalog/test/cluster/internal/debian"
	"imagecatalog.dev/catalog/test/cluster/internal/image"
	"imagecatalog.dev/catalog/test/cluster/internal/kube"
	"imagecatalog.dev/catalog/test/cluster/internal/registry"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

//go:embed bad-task.yaml
var badTask []byte

// Tekton is an installation.
type Tekton struct {
	Binaries binary.Set
	Dir      string // folder for the manifests as they are applied
	API      kube.API
	Kubectl  kube.Kubectl
}

// programs have images of their own; the manifests call them by ko's names.
func programs() []string {
	return []string{"controller", "webhook", "entrypoint", "nop", "workingdirinit", "sidecarlogresults"}
}

// PushImages makes the images be in the registry and returns what replaces
// what in the manifests.
func (t Tekton) PushImages(ctx context.Context) (replacements map[string]string, err error) {
	replacements = map[string]string{}
	for old, content := range t.images() {
		repository := registry.Address + "/cluster/tekton-" + path.Base(content.Entrypoint[0])
		reference, err := image.Reference(repository, content)
		if err != nil {
			return nil, err
		}
		if err := image.Ensure(ctx, reference, content); err != nil {
			return nil, err
		}
		replacements[old] = reference
	}
	return replacements, nil
}

// shellImage runs the scripts of steps and prepares volumes; it comes from a
// registry that a test cluster cannot reach.
const shellImage = "cgr.dev/chainguard/busybox@sha256:19f02276bf8dbdd62f069b922f10c65262cc34b710eea26ff928129a736be791"

// images are what the manifests refer to: the programs by ko's names, and the
// shell.
func (t Tekton) images() map[string]image.Content {
	images := map[string]image.Content{shellImage: shell()}
	for _, program := range programs() {
		inside := "/ko-app/" + program
		images["ko://github.com/tektoncd/pipeline/cmd/"+program] = image.Content{
			Files:      map[string]string{inside: t.Binaries.Path(filepath.Join("tekton", program))},
			Entrypoint: []string{inside},
			User:       image.NonRoot,
		}
	}
	return images
}

// shell is Debian's busybox, which acts as the program it is called as.
func shell() image.Content {
	links := map[string]string{}
	for applet := range strings.FieldsSeq("sh cat cp mv ls mkdir chmod echo sleep base64 ln touch tr sed grep head tail tee wc test env date rm id sha256sum tar") {
		links["/bin/"+applet] = "busybox"
	}
	return image.Content{
		Files:      map[string]string{"/bin/busybox": debian.Busybox},
		Links:      links,
		Entrypoint: []string{"/bin/sh"},
		User:       image.NonRoot,
	}
}

// Apply applies the manifests unless the same ones have been applied before.
func (t Tekton) Apply(ctx context.Context, replacements map[string]string) error {
	manifests, err := t.render(replacements)
	if err != nil {
		return err
	}
	sum := []byte(fmt.Sprintf("%x", sha256.Sum256(manifests)))
	stamp := filepath.Join(t.Dir, "applied")
	if applied, err := os.ReadFile(stamp); err == nil && bytes.Equal(applied, sum) {
		return nil
	}
	file := filepath.Join(t.Dir, "tekton.yaml")
	if err := state.Write(file, manifests, 0o644); err != nil {
		return err
	}
	if err := t.Kubectl.Apply(ctx, file); err != nil {
		return fmt.Errorf("install Tekton: %w", err)
	}
	return state.Write(stamp, sum, 0o644)
}

// Enforces is nil when Tekton's webhook itself refuses a Task without steps.
// Ready pods are not enough, since the webhook's rules arrive later; and not
// every refusal is its own, since one that cannot be reached refuses too.
func (t Tekton) Enforces(ctx context.Context) error {
	code, body, err := t.API.Create(ctx, "/apis/tekton.dev/v1/namespaces/default/tasks?dryRun=All", badTask)
	if err != nil {
		return err
	}
	if code != http.StatusBadRequest || !bytes.Contains(body, []byte("denied the request: validation failed")) {
		return fmt.Errorf("a Task without steps is not refused by Tekton: %d %s", code, bytes.TrimSpace(body))
	}
	return nil
}
