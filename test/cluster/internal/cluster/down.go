package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"imagecatalog.dev/catalog/test/cluster/internal/cgroup"
	"imagecatalog.dev/catalog/test/cluster/internal/registry"
)

// cleanTimeout bounds the wait for the kernel to let go of what was killed.
const cleanTimeout = time.Minute

// Down removes everything that Up made on this machine, apart from binaries
// and the registry's images. The state directory goes last: while it is
// there, there may be something left to remove.
func (c Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return c.Log.Step("nothing of the cluster is left", func() error { return c.clean(ctx) })
}

// Purge is Down that deletes the registry's images too.
func (c Cluster) Purge(ctx context.Context) error {
	if err := c.Down(ctx); err != nil {
		return err
	}
	if !c.Full {
		return nil
	}
	if err := os.RemoveAll(c.Images); err != nil {
		return fmt.Errorf("delete the registry's images: %w", err)
	}
	return nil
}

func (c Cluster) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	if err := c.killProcesses(ctx); err != nil {
		return err
	}
	if c.settings().Saved() {
		if err := c.removeNode(ctx); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(string(c.Dir)); err != nil {
		return fmt.Errorf("delete the state directory: %w", err)
	}
	return nil
}

// killProcesses ends the registry in good order, since what it stores stays,
// and all else at once, since what it stores goes. The kubelet and the
// scheduler must be dead before the containers, or they start new ones.
func (c Cluster) killProcesses(ctx context.Context) error {
	owner := c.owner()
	if err := owner.Stop(ctx, registry.Name); err != nil {
		return err
	}
	if err := owner.KillAll(ctx); err != nil {
		return err
	}
	return c.removeGroup(ctx)
}

// removeGroup ends what is in containers, which do not carry a part's marks.
// A machine without control groups has nothing in them.
func (c Cluster) removeGroup(ctx context.Context) error {
	group, err := cgroup.Find(c.Dir.Name())
	if errors.Is(err, cgroup.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := group.Kill(ctx); err != nil {
		return err
	}
	return group.Remove(ctx)
}

// removeNode undoes what only a full cluster does, whose first act is to save
// the kernel's settings: a firewall table that we did not make stays. With the
// mounts go the pods' network namespaces, and with these their interfaces.
func (c Cluster) removeNode(ctx context.Context) error {
	if err := c.node(nil).Clean(); err != nil {
		return err
	}
	if err := c.network().Remove(ctx); err != nil {
		return err
	}
	return c.settings().Restore()
}
