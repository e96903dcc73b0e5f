package plane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// startTime is how long a process that ends by itself counts as one that did not come up.
	startTime  = 30 * time.Second
	maxStarts  = 5
	startPause = time.Second // before the next start
)

// running is a process until it is told to end. One that does not come up is started again, as by the kubelet: knative gives
// the API server 5 seconds for a configuration, which a busy machine may exceed. One that was up and ends by itself stays so.
type running struct {
	path string
	args []string
	env  []string
	log  string

	ended chan struct{} // closed when it is over

	mutex sync.Mutex
	cmd   *exec.Cmd // the last one
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
	for began, starts := time.Now(), 1; ; starts++ {
		_ = r.cmd.Wait() // what it exits with says nothing: losing an election is an ordinary end
		if r.isTold() || time.Since(began) > startTime || starts == maxStarts {
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
	defer func() { _ = log.Close() }()     // the process has its own
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

func (r *running) isTold() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.told
}

func (r *running) id() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.cmd.Process.Pid
}
