//go:build registries

package registries

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"imagecatalog.dev/catalog/test/faults"
)

// program is a registry that runs as a process.
type program struct {
	address string
	process *exec.Cmd
	ended   chan struct{}
	log     string
}

// configuration is what the files in testdata refer to.
type configuration struct {
	Address, Storage string
	// Service is the name that the registry has for its token server.
	Service string
	// The paths of files: certificates, a private key, users with their passwords.
	Authority, Certificate, Key, Accounts string
}

const startPatience = 30 * time.Second

// start runs a program with the configuration file of the name, and waits until it answers.
func start(ctx context.Context, dir, name, path string, values configuration) (*program, error) {
	if path == "" {
		return nil, fmt.Errorf("no program is named for the registry %s: run `make registries-test`, which sets %s and %s", name, ownProgram, debianProgram)
	}
	var err error
	if values.Address, err = freeAddress(); err != nil {
		return nil, err
	}
	config, err := configure(dir, name, values)
	if err != nil {
		return nil, err
	}
	p := &program{address: values.Address, ended: make(chan struct{}), log: filepath.Join(dir, name+".log")}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own
	p.process = exec.Command(path, "serve", config)
	p.process.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	p.process.Stdout, p.process.Stderr = log, log
	p.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.process.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	go func() {
		_ = p.process.Wait() // it is killed in the end
		close(p.ended)
	}()
	if err := p.await(ctx, values.Certificate != ""); err != nil {
		return nil, errors.Join(p.complaint(err), p.stop())
	}
	return p, nil
}

// configure writes the configuration file and gives its path.
func configure(dir, name string, values configuration) (string, error) {
	text, err := template.ParseFiles(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		return "", err
	}
	var content bytes.Buffer
	if err := text.Execute(&content, values); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name+".yaml")
	return path, os.WriteFile(path, content.Bytes(), 0o600)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// await returns when the registry answers, with whatever status.
func (p *program) await(ctx context.Context, secured bool) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	scheme := "http"
	if secured {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}, DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+p.address+"/v2/", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			return response.Body.Close()
		}
		select {
		case <-p.ended:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *program) complaint(err error) error {
	log, _ := os.ReadFile(p.log) // without it there is still the error
	return fmt.Errorf("waiting for %s: %w; its log: %s", p.process.Path, err, log)
}

// stop ends the process at once: it holds nothing to keep.
func (p *program) stop() error {
	if err := p.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping process %d: %w", p.process.Process.Pid, err)
	}
	<-p.ended
	return nil
}

// issueFiles writes a certificate of the authority for 127.0.0.1, with its key.
func issueFiles(dir string) (certificate, key string, err error) {
	issued, err := authority.Issue("127.0.0.1", time.Now().Add(time.Hour))
	if err != nil {
		return "", "", err
	}
	chain, private, err := faults.Files(issued)
	if err != nil {
		return "", "", err
	}
	certificate, key = filepath.Join(dir, "debian.crt"), filepath.Join(dir, "debian.key")
	return certificate, key, errors.Join(os.WriteFile(certificate, []byte(chain), 0o600), os.WriteFile(key, []byte(private), 0o600))
}
