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

	"github.com/stretchr/testify/require"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

const (
	demoNamespace  = "image-catalog-demo"
	repositoryRoot = "../.."
)

// What `make run` left behind; TestMain runs it.
var (
	runOutput string
	kube      kubernetes.Interface
	tekton    tektonclient.Interface
	catalog   catalogclient.Interface
)

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
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return err
	}
	if kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if tekton, err = tektonclient.NewForConfig(config); err != nil {
		return err
	}
	if catalog, err = catalogclient.NewForConfig(config); err != nil {
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
	cmd := exec.CommandContext(t.Context(), name, args...)
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
