//go:build controlplane

// Package controlplane tests the webhook and the controller as processes of this machine, under their own service
// accounts, against a real API server: `make control-plane-test`.
package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

const (
	systemNamespace = "image-catalog"
	repositoryRoot  = "../.."
)

// The plane that the tests share; TestMain sets it up.
var (
	config  *rest.Config
	kube    kubernetes.Interface
	catalog versioned.Interface
)

func TestMain(m *testing.M) {
	code, err := runWithPlane(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting up the control plane tier:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runWithPlane(m *testing.M) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "control-plane-test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := connect(); err != nil {
		return 0, err
	}
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	if err := install(ctx, port); err != nil {
		return 0, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/webhook", "./cmd/controller")
	build.Dir = repositoryRoot
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", build, err, out)
	}
	for component, env := range map[string][]string{
		"webhook":    {"WEBHOOK_NAME=webhook", fmt.Sprintf("WEBHOOK_PORT=%d", port)},
		"controller": nil,
	} {
		stop, err := start(ctx, dir, component, env)
		if err != nil {
			return 0, err
		}
		defer stop()
	}
	if err := waitUntilRefusing(ctx); err != nil {
		return 0, fmt.Errorf("%w; its log: %s", err, tail(filepath.Join(dir, "webhook.log")))
	}
	return m.Run(), nil
}

func connect() (err error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return fmt.Errorf("KUBECONFIG names no control plane; run this tier with: make control-plane-test")
	}
	if config, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	if kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	catalog, err = versioned.NewForConfig(config)
	return err
}

// install applies what config/ ships, without the Deployments, with the webhook reached on this machine: knative wants
// a Service, and one of type ExternalName needs no pods.
func install(ctx context.Context, webhookPort int) error {
	files, err := filepath.Glob(repositoryRoot + "/config/*.yaml")
	if err != nil {
		return err
	}
	var manifests bytes.Buffer
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(content), "\n---\n") {
			var object unstructured.Unstructured
			if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if !adapt(&object, webhookPort) {
				continue
			}
			out, err := yaml.Marshal(object.Object)
			if err != nil {
				return err
			}
			fmt.Fprintf(&manifests, "---\n%s", out)
		}
	}
	return kubectl(ctx, manifests.String(), "apply", "--server-side", "--force-conflicts", "--filename", "-")
}

// adapt changes an object for this tier, or says that it has no place in it.
func adapt(object *unstructured.Unstructured, webhookPort int) bool {
	switch object.GetKind() {
	case "Deployment":
		return false
	case "Service":
		if object.GetName() != "webhook" {
			return false
		}
		object.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "localhost"}
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		for _, webhook := range object.Object["webhooks"].([]any) {
			service := webhook.(map[string]any)["clientConfig"].(map[string]any)["service"].(map[string]any)
			service["port"] = webhookPort
		}
	}
	return true
}

// start runs a component as in a pod: under its service account, with the environment of its Deployment.
func start(ctx context.Context, dir, component string, env []string) (stop func(), err error) {
	kubeconfig, err := serviceAccountKubeconfig(ctx, dir, component)
	if err != nil {
		return nil, err
	}
	metricsPort, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, component+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, component))
	cmd.Env = append([]string{
		"KUBECONFIG=" + kubeconfig,
		"SYSTEM_NAMESPACE=" + systemNamespace,
		"POD_NAME=" + component,
		"KUBE_API_QPS=200",
		"KUBE_API_BURST=400",
		"METRICS_PROMETHEUS_HOST=127.0.0.1",
		fmt.Sprintf("METRICS_PROMETHEUS_PORT=%d", metricsPort),
		"HTTPS_PROXY=http://127.0.0.1:1", // registries of the world are out of reach; loopback needs no proxy
	}, env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // gives its leases back, so that the next run need not wait for them
		_ = cmd.Wait()
		_ = log.Close()
	}, nil
}

func serviceAccountKubeconfig(ctx context.Context, dir, account string) (string, error) {
	token, err := kube.CoreV1().ServiceAccounts(systemNamespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["c"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData, CertificateAuthority: config.CAFile}
	kubeconfig.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	kubeconfig.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	kubeconfig.CurrentContext = "x"
	path := filepath.Join(dir, account+".kubeconfig")
	return path, clientcmd.WriteToFile(*kubeconfig, path)
}

// waitUntilRefusing waits for the webhook's own words; until it has written its rules everything is admitted.
func waitUntilRefusing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := kubectl(ctx, entryYAML("default", "refused", "not a reference"), "create", "--dry-run=server", "--filename", "-")
		if err != nil && strings.Contains(err.Error(), "denied the request: validation failed") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the webhook refused nothing in a minute; last answer: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func entryYAML(namespace, name, image string) string {
	return fmt.Sprintf(`apiVersion: imagecatalog.dev/v1alpha1
kind: CatalogImage
metadata:
  namespace: %s
  name: %s
spec:
  image: %q
`, namespace, name, image)
}

func kubectl(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// newNamespace makes a namespace of the test's own.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace, err := kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	return namespace.Name
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-2000):])
}
