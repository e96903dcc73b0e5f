package plane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// stopPatience is what a pod is given to end by itself.
const stopPatience = 30 * time.Second

// Process is a replica of a Deployment, as a process of this machine. Its name is that of the pod it stands for.
type Process struct {
	Name string
	// Profiles is the host:port of its pprof server, which answers when config-observability says so; Metrics that of what
	// Prometheus fetches.
	Profiles, Metrics string

	deployed
	plane *Plane
	path  string
	mount func(context.Context) error // what its pod would have mounted
	ready func(context.Context) error
	// gateway is where it asks instead of the API server; nil for none.
	gateway *clientcmdapi.Cluster

	running *running // nil when it was stopped or killed, or never started
}

// newProcess prepares a process. The further environment wins over that of its Deployment.
func (p *Plane) newProcess(component, name string, env ...string) (*Process, error) {
	from, err := readDeployment(p.root, component, name)
	if err != nil {
		return nil, err
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	profiles, err := freePort()
	if err != nil {
		return nil, err
	}
	process := &Process{
		Name:     name,
		Profiles: fmt.Sprintf("127.0.0.1:%d", profiles),
		Metrics:  fmt.Sprintf("127.0.0.1:%d", metrics),
		deployed: from,
		plane:    p,
		path:     filepath.Join(p.dir, component),
		mount:    func(context.Context) error { return nil },
		ready:    func(context.Context) error { return nil },
	}
	process.env = append(append(process.env,
		"KUBECONFIG="+process.kubeconfig(),
		"METRICS_PROMETHEUS_HOST=127.0.0.1",
		fmt.Sprintf("METRICS_PROMETHEUS_PORT=%d", metrics),
		fmt.Sprintf("PROFILING_PORT=%d", profiles),
		"GODEBUG="+os.Getenv("GODEBUG"),  // memprofilerate, for example
		"HTTPS_PROXY=http://127.0.0.1:1", // registries of the world are out of reach; loopback needs no proxy
	), env...)
	return process, nil
}

func (p *Process) kubeconfig() string { return filepath.Join(p.plane.dir, p.Name+".kubeconfig") }

func (p *Process) log() string { return filepath.Join(p.plane.dir, p.Name+".log") }

// Start starts the process, with a new token; the further environment is for this start alone. It does not wait until
// the process is ready.
func (p *Process) Start(ctx context.Context, env ...string) error {
	if p.Running() {
		return fmt.Errorf("starting %s: it runs", p.Name)
	}
	if err := errors.Join(p.writeKubeconfig(ctx), p.mount(ctx)); err != nil {
		return err
	}
	process := &running{path: p.path, args: p.args, env: slices.Concat(p.env, env), log: p.log()}
	if err := process.run(); err != nil {
		return err
	}
	p.running = process
	return nil
}

// Running says whether it was started and neither stopped nor killed.
func (p *Process) Running() bool { return p.running != nil }

// ID is the number of the process while it runs.
func (p *Process) ID() int { return p.running.id() }

// AwaitReady waits until the probe of its Deployment would call it ready.
func (p *Process) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last error
	err := every(ctx, 50*time.Millisecond, func() bool {
		select {
		case <-p.running.ended:
			last = errors.New("it ended by itself")
			cancel()
			return false
		default:
			last = p.ready(ctx)
			return last == nil
		}
	})
	if err != nil {
		return fmt.Errorf("waiting for %s to be ready: %w; its log ends with: %s", p.Name, last, p.tail())
	}
	return nil
}

// Stop has it end in good order, as when its pod is deleted. A process that must be killed for it is an error.
func (p *Process) Stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	defer func() { p.running = nil }()
	select {
	case <-p.running.ended:
		return nil
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM", p.Name, stopPatience), p.Kill())
	}
}

// Kill ends it at once, as when its node fails.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.running.ended
	p.running = nil
	return nil
}

func (p *Process) signal(signal syscall.Signal) error {
	if !p.Running() {
		return fmt.Errorf("stopping %s: it does not run", p.Name)
	}
	if err := p.running.end(signal); err != nil {
		return fmt.Errorf("stopping %s: %w", p.Name, err)
	}
	return nil
}

func (p *Process) tail() string {
	content, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-2000):])
}

func (p *Process) writeKubeconfig(ctx context.Context) error {
	token, err := p.plane.Kube.CoreV1().ServiceAccounts(SystemNamespace).CreateToken(ctx, p.account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("getting a token of the service account %s: %w", p.account, err)
	}
	server, kubeconfig := p.plane.Config, clientcmdapi.NewConfig()
	kubeconfig.Clusters["plane"] = cmp.Or(p.gateway, &clientcmdapi.Cluster{
		Server: server.Host, CertificateAuthorityData: server.CAData, CertificateAuthority: server.CAFile,
	})
	kubeconfig.AuthInfos["account"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	kubeconfig.Contexts["plane"] = &clientcmdapi.Context{Cluster: "plane", AuthInfo: "account"}
	kubeconfig.CurrentContext = "plane"
	return clientcmd.WriteToFile(*kubeconfig, p.kubeconfig())
}

// The kernel gives ports from 32768 on to others.
const (
	firstPort = 10_000
	ports     = 20_000
)

// drawn is the last port that was given.
var drawn atomic.Uint32

func init() { drawn.Store(rand.Uint32N(ports)) } // another plane may be there

// freePort gives a port that nobody listens at, and each only once: it is used some time later.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := firstPort + int(drawn.Add(1)%ports)
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port)) //nolint:noctx // it does not wait
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("looking for a free port: %w", last)
}
