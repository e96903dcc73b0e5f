// Package process starts the parts of a cluster so that they outlive this
// program, and finds them again without having written anything down.
//
// Every part carries two variables in its environment: the cluster it belongs
// to, and its own name with a fingerprint of everything it was started from.
// The kernel keeps both in /proc for as long as the process lives, children
// inherit them, and neither a crash of this program nor a reused process id
// can make them lie. A part leads a session of its own; what it starts does
// not, which is how a part is told from its children.
package process

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	clusterVariable = "IMAGE_CATALOG_CLUSTER"
	partVariable    = "IMAGE_CATALOG_PART"
)

// Part is a long-running program of a cluster.
type Part struct {
	Name   string   // unique in the cluster, also the name of its log
	Path   string   // absolute
	Args   []string // without the program's name
	Env    []string // in addition to what every part gets
	Inputs []string // files it reads at its start: it is stale when their content has changed
	Join   func(pid int) error
}

// Owner starts and finds the parts of one cluster.
type Owner struct {
	Cluster string // the cluster's marker, its state directory
	Logs    string // the folder of the parts' logs
	Path    string // PATH of every part
}

// start runs a part in the background. The environment is made from nothing,
// so that neither proxies nor a KUBECONFIG of the caller leak into it.
func (o Owner) start(part Part, fingerprint string) error {
	log, err := o.openLog(part.Name)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(part.Path, part.Args...) //nolint:noctx // it outlives this program
	command.Dir = o.Cluster
	command.Stdout, command.Stderr = log, log
	command.Env = append([]string{
		clusterVariable + "=" + o.Cluster,
		partVariable + "=" + part.Name + "@" + fingerprint,
		"PATH=" + o.Path,
		"HOME=" + o.Cluster,
	}, part.Env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", part.Name, err)
	}
	// Reaped, or a part that ends while this program runs would look alive.
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	o.awaitMarks(command.Process.Pid, ended)
	if part.Join == nil {
		return nil
	}
	if err := part.Join(command.Process.Pid); err != nil {
		return fmt.Errorf("put %s into its control group: %w", part.Name, err)
	}
	return nil
}

// awaitMarks returns when the marks of a new process can be read, or when it
// has ended. The kernel tells that a program was executed before it has laid
// out the program's environment; a scan in between would take it for dead.
func (o Owner) awaitMarks(pid int, ended <-chan struct{}) {
	for {
		if _, marked := o.inspect(pid); marked {
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func (o Owner) openLog(name string) (*os.File, error) {
	if err := os.MkdirAll(o.Logs, 0o755); err != nil {
		return nil, fmt.Errorf("create the folder for logs: %w", err)
	}
	log, err := os.OpenFile(o.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	return log, nil
}

func (o Owner) log(name string) string { return filepath.Join(o.Logs, name+".log") }

// fingerprint differs when a part would run differently.
func (p Part) fingerprint() (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %q %q\n", p.Path, p.Args, p.Env)
	for _, path := range p.Inputs {
		if err := hashFile(sum, path); err != nil {
			return "", fmt.Errorf("read what %s starts from: %w", p.Name, err)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

func hashFile(sum io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(sum, file)
	return err
}
