package plane

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// keptWaiting is what knative ends a process with that the API server keeps waiting for 5 seconds when it starts.
	keptWaiting = "Error reading/parsing logging configuration: timed out waiting"
	maxStarts   = 5
	startPause  = time.Second // before the next start
)

// running is a process until it is told to end. One that a busy machine kept waiting is started again, as by the kubelet. One
// that ends by itself for anything else stays so, and whoever waits for it is told.
type running struct {
	path string
	args []string
	env  []string
	log  string

	ended chan struct{} // closed when it is over

	mutex sync.Mutex
	cmd   *exec.Cmd // the last one
	begin int64     // of what it says in the log
	told  bool      // to end
}

func (r *running) run() error {
	r.ended = make(chan struct{})
	if err := r.start(); err != nil {
		return err
	}
	go r.keep()
	return nil
}

func (r *running) keep() {
	defer close(r.ended)
	for starts := 1; ; starts++ {
		_ = r.cmd.Wait() // what it exits with says nothing: losing an election is an ordinary end
		if starts == maxStarts || !r.wasKeptWaiting() {
			return
		}
		time.Sleep(startPause)
		if err := r.start(); err != nil {
			return
		}
	}
}

// start starts it, unless it has been told to end.
func (r *running) start() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.told {
		return os.ErrProcessDone
	}
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	if r.begin, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	cmd := exec.Command(r.path, r.args...) //nolint:noctx // end ends it
	cmd.Env, cmd.Stdout, cmd.Stderr = r.env, log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", r.path, err)
	}
	r.cmd = cmd
	return nil
}

// end tells it to end. It may have done so by itself.
func (r *running) end(signal syscall.Signal) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.told = true
	if err := r.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (r *running) wasKeptWaiting() bool {
	said, err := os.ReadFile(r.log)
	return err == nil && int64(len(said)) >= r.begin && bytes.Contains(said[r.begin:], []byte(keptWaiting))
}

func (r *running) id() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.cmd.Process.Pid
}
