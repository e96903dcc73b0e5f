package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// listCatalog shows what the query server lists.
func listCatalog(ctx context.Context, _ site) error {
	url, closeURL, err := reachQueryServer(ctx)
	if err != nil {
		return err
	}
	defer closeURL()
	table, err := get(ctx, url+"/v1/images")
	if err != nil {
		return err
	}
	fmt.Print(table)
	return nil
}

// reachQueryServer finds the query server's address: the Service's own where this machine has a route to it, as it has
// to the embedded cluster, else a forwarded port until the returned function is called.
func reachQueryServer(ctx context.Context) (string, func(), error) {
	ip, err := output(ctx, "kubectl", "--namespace", systemNamespace, "get", "service", "query", "--output", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return "", nil, err
	}
	url := "http://" + string(ip)
	if _, err := get(ctx, url+"/healthz"); err == nil {
		return url, func() {}, nil
	}
	return forwardQueryServer(ctx)
}

func forwardQueryServer(ctx context.Context) (string, func(), error) {
	forward := exec.CommandContext(ctx, "kubectl", "--namespace", systemNamespace, "port-forward", "service/query", ":80")
	forward.Stderr = os.Stderr
	out, err := forward.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := forward.Start(); err != nil {
		return "", nil, err
	}
	closeForward := func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		closeForward()
		return "", nil, fmt.Errorf("%s: %w", forward, err)
	}
	// Forwarding from 127.0.0.1:41234 -> 8080
	address, _, _ := strings.Cut(strings.TrimPrefix(line, "Forwarding from "), " ")
	return "http://" + address, closeForward, nil
}

// direct uses no proxy: what it asks for is in the cluster, or on this machine.
var direct = http.Client{Transport: &http.Transport{}}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", "text/plain")
	response, err := direct.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %s", url, response.Status, body)
	}
	return string(body), nil
}

// printNextSteps ends the run with what a reader needs to go on.
func printNextSteps(ctx context.Context, s site) error {
	url, closeURL, err := reachQueryServer(ctx)
	if err != nil {
		return err
	}
	closeURL()
	if s.current {
		url = "http://127.0.0.1:8080"
		fmt.Printf("\nFirst, in another terminal: kubectl --namespace %s port-forward service/query 8080:80\n", systemNamespace)
	} else {
		fmt.Printf("\nFirst, for the kubeconfig %s and the cluster's own kubectl and tkn: eval \"$(make --silent env)\"\n", os.Getenv("KUBECONFIG"))
	}
	fmt.Printf(`The catalog answers at %[1]s. Try next:
  curl --silent --header 'Accept: text/plain' '%[1]s/v1/images?architecture=arm64&target=raspberry-pi'
  kubectl --namespace %[2]s get catalogimages
  tkn task start verify --namespace %[2]s --param IMAGE_URL=%[3]s --use-param-defaults --skip-optional-workspace --showlog
`, url, demoNamespace, s.imageReference())
	return nil
}
