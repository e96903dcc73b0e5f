package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// queryHost is the name in the query server's certificate.
const queryHost = "query." + systemNamespace + ".svc"

// queryServer is how this machine asks the query server.
type queryServer struct {
	address string // host:port where queryHost is reached
	ca      string // file
	token   string
	close   func()
}

// reachQueryServer finds the query server's address: the Service's own where this machine has a route to it, as it has
// to the embedded cluster, else a forwarded port until close is called.
func reachQueryServer(ctx context.Context, s site) (*queryServer, error) {
	q := &queryServer{ca: filepath.Join(s.cache, "query-ca.pem"), close: func() {}}
	if err := q.fetchCA(ctx); err != nil {
		return nil, err
	}
	token, err := output(ctx, "kubectl", "--namespace", demoNamespace, "create", "token", "reader")
	if err != nil {
		return nil, err
	}
	q.token = strings.TrimSpace(string(token))
	ip, err := output(ctx, "kubectl", "--namespace", systemNamespace, "get", "service", "query", "--output", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return nil, err
	}
	q.address = net.JoinHostPort(string(ip), "443")
	if _, err := q.get(ctx, "/healthz"); err == nil {
		return q, nil
	}
	return q, q.forward(ctx)
}

// fetchCA writes the CA of the query server's certificate to a file, for curl.
func (q *queryServer) fetchCA(ctx context.Context) error {
	const path = `jsonpath={.data.ca\.crt}`
	if _, err := output(ctx, "kubectl", "--namespace", systemNamespace, "wait", "configmap/query-ca", "--for", path, "--timeout", "1m"); err != nil {
		return err // a webhook of before published none
	}
	ca, err := output(ctx, "kubectl", "--namespace", systemNamespace, "get", "configmap", "query-ca", "--output", path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(q.ca), 0o755); err != nil {
		return err
	}
	return os.WriteFile(q.ca, ca, 0o644)
}

func (q *queryServer) forward(ctx context.Context) error {
	forward := exec.CommandContext(ctx, "kubectl", "--namespace", systemNamespace, "port-forward", "service/query", ":443")
	forward.Stderr = os.Stderr
	out, err := forward.StdoutPipe()
	if err != nil {
		return err
	}
	if err := forward.Start(); err != nil {
		return err
	}
	q.close = func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		q.close()
		return fmt.Errorf("%s: %w", forward, err)
	}
	// Forwarding from 127.0.0.1:41234 -> 8443
	q.address, _, _ = strings.Cut(strings.TrimPrefix(line, "Forwarding from "), " ")
	return nil
}

// get uses no proxy: what it asks for is in the cluster, or on this machine.
func (q *queryServer) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ca, err := os.ReadFile(q.ca)
	if err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: queryHost}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+q.address+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", "text/plain")
	request.Header.Set("Authorization", "Bearer "+q.token)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %s", path, response.Status, body)
	}
	return string(body), nil
}
