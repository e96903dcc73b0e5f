package plane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

	running *exec.Cmd
	ended   chan struct{}
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
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()     // the process has its own
	cmd := exec.Command(p.path, p.args...) //nolint:noctx // Stop and Kill end it
	cmd.Env = slices.Concat(p.env, env)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	ended := make(chan struct{})
	p.running, p.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // what it exits with says nothing: losing an election is an ordinary end
		close(ended)
	}()
	return nil
}

// Running says whether it was started and neither stopped nor killed.
func (p *Process) Running() bool { return p.running != nil }

// ID is the number of the process while it runs.
func (p *Process) ID() int { return p.running.Process.Pid }

// AwaitReady waits until the probe of its Deployment would call it ready.
func (p *Process) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last error
	err := every(ctx, 50*time.Millisecond, func() bool {
		select {
		case <-p.ended:
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
	case <-p.ended:
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
	<-p.ended
	p.running = nil
	return nil
}

func (p *Process) signal(signal syscall.Signal) error {
	if !p.Running() {
		return fmt.Errorf("stopping %s: it does not run", p.Name)
	}
	if err := p.running.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
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

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
