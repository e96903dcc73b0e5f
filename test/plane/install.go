package plane

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// install applies what config/ ships, adapted.
func (p *Plane) install(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(p.root, "config", "*.yaml"))
	if err != nil {
		return err
	}
	var manifests bytes.Buffer
	for _, file := range files {
		if err := p.adaptFile(&manifests, file); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	return p.Kubectl(ctx, manifests.String(), "apply", "--server-side", "--force-conflicts", "--filename", "-")
}

func (p *Plane) adaptFile(manifests *bytes.Buffer, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return err
		}
		if !p.adapt(&object) {
			continue
		}
		out, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		fmt.Fprintf(manifests, "---\n%s", out)
	}
	return nil
}

// loopbackRegistries lets the tests have registries of their own on this machine.
const loopbackRegistries = "127.0.0.1: {plainHTTP: true, privateAddresses: true}"

// adapt changes an object for the plane, or says that it has no place in it: the Deployments are processes, and of the
// Services only the webhook's has one who asks.
func (p *Plane) adapt(object *unstructured.Unstructured) bool {
	switch object.GetKind() {
	case "Deployment":
		return false
	case "Service":
		if object.GetName() != "webhook" {
			return false
		}
		object.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "localhost"}
	case "ConfigMap":
		if object.GetName() == "config-registries" {
			object.Object["data"] = map[string]any{"hosts": loopbackRegistries}
		}
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		for _, webhook := range object.Object["webhooks"].([]any) {
			service := webhook.(map[string]any)["clientConfig"].(map[string]any)["service"].(map[string]any)
			service["port"] = p.webhookPort
			webhook.(map[string]any)["timeoutSeconds"] = 30 // hundreds of writers share two cores with the webhook
		}
	}
	return true
}

// Kubectl runs kubectl as the administrator; the error holds what it printed.
func (p *Plane) Kubectl(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
