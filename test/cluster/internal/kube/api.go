package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"imagecatalog.dev/catalog/test/cluster/internal/pki"
)

// requestTimeout bounds one question to the API server, so that one that
// hangs counts as one that does not answer.
const requestTimeout = 5 * time.Second

// API is the API server as its administrator sees it: just enough to ask how
// things are without starting kubectl each time.
type API struct {
	server string
	client *http.Client
}

// NewAPI reads the administrator's keys.
func NewAPI(server string, keys pki.Dir) (API, error) {
	certificate, err := tls.LoadX509KeyPair(keys.Cert("admin"), keys.Key("admin"))
	if err != nil {
		return API{}, fmt.Errorf("load the administrator's keys: %w", err)
	}
	authority, err := os.ReadFile(keys.CA())
	if err != nil {
		return API{}, fmt.Errorf("read the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return API{}, fmt.Errorf("read the authority's certificate %q: not in PEM", keys.CA())
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	return API{server: server, client: &http.Client{Transport: transport, Timeout: requestTimeout}}, nil
}

// Ready is nil when the API server says it is.
func (a API) Ready(ctx context.Context) error {
	_, err := a.get(ctx, "/readyz")
	return err
}

// NodeReady is nil when the node says it is.
func (a API) NodeReady(ctx context.Context, name string) error {
	body, err := a.get(ctx, "/api/v1/nodes/"+name)
	if err != nil {
		return err
	}
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return fmt.Errorf("read node %s: %w", name, err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
		if condition.Type == "Ready" {
			return fmt.Errorf("node %s is not Ready: %s", name, condition.Message)
		}
	}
	return errors.New("the kubelet has not said yet whether it is ready")
}

// Create posts an object in YAML and returns the answer's status code and body.
func (a API) Create(ctx context.Context, path string, object []byte) (int, []byte, error) {
	return a.do(ctx, http.MethodPost, path, object)
}

func (a API) get(ctx context.Context, path string) ([]byte, error) {
	code, body, err := a.do(ctx, http.MethodGet, path, nil)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("get %s: %d %s", path, code, bytes.TrimSpace(body))
	}
	return body, err
}

func (a API) do(ctx context.Context, method, path string, content []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, a.server+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/yaml")
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// Kubectl is the built kubectl with the administrator's kubeconfig.
type Kubectl struct{ Path, Kubeconfig string }

// Apply applies the manifests in files and folders, taking over fields that
// others set: what the files say is what is wanted.
func (k Kubectl) Apply(ctx context.Context, paths ...string) error {
	arguments := []string{"--kubeconfig=" + k.Kubeconfig, "apply", "--server-side", "--force-conflicts"}
	for _, path := range paths {
		arguments = append(arguments, "-f", path)
	}
	if output, err := exec.CommandContext(ctx, k.Path, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply %v: %w\n%s", paths, err, output)
	}
	return nil
}
