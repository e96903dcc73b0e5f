package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"imagecatalog.dev/catalog/test/plane"
)

// process is a server in a process of its own, so that it shares neither garbage collector nor scheduler with the load
// and with the server that it is compared with.
type process struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	address string
}

// startAlike is start with Go's collector set as for the query server, for that and for what it is compared with.
func startAlike(ctx context.Context, args ...string) (*process, error) {
	settings, err := plane.CollectorSettings("query")
	if err != nil {
		return nil, err
	}
	return startWith(ctx, settings, args...)
}

// start executes this program again as a server, see serve, and returns when that is ready.
func start(ctx context.Context, args ...string) (*process, error) {
	return startWith(ctx, nil, args...)
}

func startWith(ctx context.Context, env []string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program, to start a server: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"serve"}, args...)...)
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", runtime.GOMAXPROCS(0))), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	p := &process{cmd: cmd, stdin: stdin}
	if p.address, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for %s to be ready: %w", cmd, err), p.stop())
	}
	p.address = strings.TrimSpace(p.address)
	return p, nil
}

// url of a target: a path and a query.
func (p *process) url(target string) string { return "http://" + p.address + target }

// id is the number of the process.
func (p *process) id() int { return p.cmd.Process.Pid }

func (p *process) stop() error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}
