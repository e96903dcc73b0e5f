package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"imagecatalog.dev/catalog/test/cluster/internal/poll"
)

const (
	// stopGrace is what a part gets between being asked to stop and being killed.
	stopGrace = 5 * time.Second
	// logTail is how many lines of a dead part's log an error quotes.
	logTail = 8
)

// Ensure sees to it that the part runs as described: it starts one that does
// not run and restarts one that was started from something else. It does not
// wait until the part is of use, see Await.
func (o Owner) Ensure(ctx context.Context, part Part) error {
	fingerprint, err := part.fingerprint()
	if err != nil {
		return err
	}
	process, running, err := o.Find(part.Name)
	if err != nil {
		return err
	}
	if running && process.Fingerprint == fingerprint {
		return nil
	}
	if err := o.Stop(ctx, part.Name); err != nil {
		return err
	}
	return o.start(part, fingerprint)
}

// Await asks check until it is content. It gives up at once when the named
// part has ended, quoting its log, and after the timeout with check's last word.
func (o Owner) Await(ctx context.Context, name string, timeout time.Duration, check func(context.Context) error) error {
	deadline := time.Now().Add(timeout)
	for {
		answer := check(ctx)
		if answer == nil {
			return nil
		}
		if _, running, err := o.Find(name); err != nil || !running {
			return errors.Join(err, fmt.Errorf("%s has ended; the end of its log %s:\n%s", name, o.log(name), o.tail(name)))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not after %s (log of %s: %s): %w", timeout, name, o.log(name), answer)
		}
		if err := poll.Pause(ctx); err != nil {
			return err
		}
	}
}

// Stop ends the named part, politely first. A part that does not run is no error.
func (o Owner) Stop(ctx context.Context, name string) error {
	process, running, err := o.Find(name)
	if err != nil || !running {
		return err
	}
	signal := syscall.SIGTERM
	for deadline := time.Now().Add(stopGrace); running; {
		if time.Now().After(deadline) {
			signal = syscall.SIGKILL
		}
		if err := syscall.Kill(process.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s (process %d): %w", name, process.PID, err)
		}
		if err := poll.Pause(ctx); err != nil {
			return err
		}
		if process, running, err = o.Find(name); err != nil {
			return err
		}
	}
	return nil
}

// KillAll ends every process of the cluster, children that outlived their
// parts included, and returns when none is left.
func (o Owner) KillAll(ctx context.Context) error {
	for {
		processes, err := o.Scan()
		if err != nil || len(processes) == 0 {
			return err
		}
		for _, process := range processes {
			if err := syscall.Kill(process.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d of %s: %w", process.PID, process.Part, err)
			}
		}
		if err := poll.Pause(ctx); err != nil {
			return fmt.Errorf("wait for %d processes to end: %w", len(processes), err)
		}
	}
}

func (o Owner) tail(name string) string {
	content, err := os.ReadFile(o.log(name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-logTail):], "\n")
}
