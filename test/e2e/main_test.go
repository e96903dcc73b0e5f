//go:build e2e

// Package e2e tests the whole product as its users meet it: on a real node, with Tekton, a registry, kubectl and tkn.
// `make cluster-test` brings the cluster up and runs it.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

const (
	demoNamespace  = "image-catalog-demo"
	repositoryRoot = "../.."
)

// What `make run` left behind; TestMain runs it.
var (
	runOutput  string
	restConfig *rest.Config
	kube       kubernetes.Interface
	tekton     tektonclient.Interface
	catalog    catalogclient.Interface
)

// The tests share that installation. Files are run in the order of their names: traffic_test.go, which fills the
// catalog, and uninstall_test.go and upgrade_test.go, which take the installation away and replace it, come last.
func TestMain(m *testing.M) {
	if err := setUp(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "setting up the cluster tier:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func setUp(ctx context.Context) error {
	path := os.Getenv("KUBECONFIG")
	if path == "" || os.Getenv("REGISTRY") == "" {
		return fmt.Errorf("KUBECONFIG and REGISTRY name no cluster; run this tier with: make cluster-test")
	}
	var err error
	if restConfig, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return err
	}
	restConfig.QPS = -1 // entries are made by the hundred
	if kube, err = kubernetes.NewForConfig(restConfig); err != nil {
		return err
	}
	if tekton, err = tektonclient.NewForConfig(restConfig); err != nil {
		return err
	}
	if catalog, err = catalogclient.NewForConfig(restConfig); err != nil {
		return err
	}
	run := exec.CommandContext(ctx, "go", "run", "./test/run")
	run.Dir = repositoryRoot
	out, err := run.CombinedOutput()
	runOutput = string(out)
	if err != nil {
		return fmt.Errorf("%s: %w:\n%s", run, err, out)
	}
	return nil
}

// command runs a tool as a user would and returns all that it printed.
func command(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	return output(exec.CommandContext(t.Context(), name, args...), stdin)
}

func output(cmd *exec.Cmd, stdin string) (string, error) {
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func mustCommand(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command(t, "", name, args...)
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return out
}

// atEnd runs a tool when the test is over, whichever way it ends.
func atEnd(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		out, err := output(exec.CommandContext(ctx, name, args...), "")
		assert.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	})
}
