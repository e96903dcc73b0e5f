package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

// SystemNamespace is where the catalog is installed.
const SystemNamespace = "image-catalog"

// ListsFirst has a process read a list before each watch.
const ListsFirst = "KUBE_FEATURE_WatchListClient=false"

// Plane is the catalog, installed and running.
type Plane struct {
	// Config, Kube and Catalog connect as the cluster's administrator.
	Config  *rest.Config
	Kube    kubernetes.Interface
	Catalog versioned.Interface

	// Webhooks are the replicas. Several are behind Balancer, in its order; one alone is asked directly, and Balancer is nil.
	Webhooks   []*Process
	Balancer   *Balancer
	Controller *Process
	// Standby is a second replica of the controller.
	Standby *Process
	// Query is the query server, at QueryAddress (host:port). QueryCertificates is the directory that its pod would have
	// mounted: what the Secret holds when it is started.
	Query             *Process
	QueryAddress      string
	QueryCertificates string
	// QueryPeer is a second replica of the query server.
	QueryPeer        *Process
	QueryPeerAddress string
	// QueryOpen is a replica that takes whoever sends no token for system:anonymous.
	QueryOpen        *Process
	QueryOpenAddress string

	kubeconfig  string // the administrator's
	webhookPort int    // on loopback, where the API server asks the webhook
	root        string // of the repository
	dir         string // of binaries, the processes' kubeconfigs, and logs
}

// Start builds the catalog from the repository that the working directory is in, installs it into the control plane of
// a kubeconfig file, and starts so many replicas of the webhook. It returns when a bad entry is refused. The controllers
// and the query server are there to be started. Whoever starts a plane closes it.
//
// One replica alone has no balancer before it, as one who measures wants it: a cluster balances in the kernel, where it
// costs next to nothing.
func Start(ctx context.Context, kubeconfig string, webhooks int) (*Plane, error) {
	p := &Plane{kubeconfig: kubeconfig}
	if err := p.start(ctx, webhooks); err != nil {
		return nil, errors.Join(err, p.Close(true))
	}
	return p, nil
}

func (p *Plane) start(ctx context.Context, webhooks int) (err error) {
	if p.root, err = repositoryRoot(); err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "catalog-plane-"); err != nil {
		return err
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.build(ctx); err != nil {
		return err
	}
	if err := p.prepare(ctx, webhooks); err != nil {
		return err
	}
	if err := p.install(ctx); err != nil {
		return err
	}
	for _, webhook := range p.Webhooks {
		if err := webhook.Start(ctx); err != nil {
			return err
		}
	}
	return p.AwaitWebhook(ctx)
}

// repositoryRoot is the nearest folder above the working directory that holds a Go module.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("looking for the repository: no go.mod here or above")
		}
	}
}

// connect refuses a cluster with nodes: there the catalog may be installed for good, and its webhook would be led astray.
func (p *Plane) connect(ctx context.Context) (err error) {
	if p.kubeconfig == "" {
		return errors.New("no kubeconfig of a control plane is given; bring one up with: go run -C test/cluster . up --control-plane")
	}
	if p.Config, err = clientcmd.BuildConfigFromFlags("", p.kubeconfig); err != nil {
		return fmt.Errorf("reading a kubeconfig: %w", err)
	}
	p.Config.QPS = -1 // unlimited: what holds a test back is what it tests
	if p.Kube, err = kubernetes.NewForConfig(p.Config); err != nil {
		return err
	}
	if p.Catalog, err = versioned.NewForConfig(p.Config); err != nil {
		return err
	}
	nodes, err := p.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return fmt.Errorf("looking for nodes: %w", err)
	}
	if len(nodes.Items) > 0 {
		return fmt.Errorf("%s leads to a cluster with nodes; a plane needs a control plane alone: go run -C test/cluster . up --control-plane", p.kubeconfig)
	}
	return nil
}

func (p *Plane) build(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", p.dir, "./cmd/webhook", "./cmd/controller", "./cmd/query")
	build.Dir = p.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w: %s", err, out)
	}
	return nil
}

// prepare makes the balancer and the processes, which know each other's ports, and starts none.
func (p *Plane) prepare(ctx context.Context, webhooks int) error {
	var backends []string
	for n := range webhooks {
		backend, err := p.prepareWebhook(n)
		if err != nil {
			return err
		}
		backends = append(backends, backend)
	}
	var err error
	if p.Controller, err = p.newProcess("controller", "controller-0"); err != nil {
		return err
	}
	if p.Standby, err = p.newProcess("controller", "controller-1"); err != nil {
		return err
	}
	if err := p.prepareQuery(); err != nil {
		return err
	}
	if webhooks > 1 {
		if p.Balancer, err = newBalancer(ctx, backends); err != nil {
			return err
		}
		p.webhookPort = p.Balancer.Port
	}
	return nil
}

// prepareWebhook gives the address of a replica, host:port.
func (p *Plane) prepareWebhook(n int) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	env := []string{fmt.Sprintf("WEBHOOK_PORT=%d", port)}
	if n == 1 {
		env = append(env, ListsFirst)
	}
	webhook, err := p.newProcess("webhook", fmt.Sprintf("webhook-%d", n), env...)
	if err != nil {
		return "", err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	webhook.ready = func(ctx context.Context) error { return probe(ctx, "https://"+address) }
	p.Webhooks, p.webhookPort = append(p.Webhooks, webhook), port
	return address, nil
}

// Close stops all processes in good order, so that they give back the leases of their election and the next plane need
// not wait for them. The logs are kept when asked for, and the error says where.
func (p *Plane) Close(keepLogs bool) error {
	var errs []error
	for _, process := range append(p.Webhooks, p.Controller, p.Standby, p.Query, p.QueryPeer, p.QueryOpen) {
		if process != nil && process.Running() {
			errs = append(errs, process.Stop())
		}
	}
	if p.Balancer != nil {
		errs = append(errs, p.Balancer.close())
	}
	if logs, err := filepath.Glob(filepath.Join(p.dir, "*.log")); keepLogs && err == nil && len(logs) > 0 {
		errs = append(errs, fmt.Errorf("what webhook and controller said is in %s", filepath.Join(p.dir, "*.log")))
	} else {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

// every asks again and again whether it is done, until it is or the context ends.
func every(ctx context.Context, pause time.Duration, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}
