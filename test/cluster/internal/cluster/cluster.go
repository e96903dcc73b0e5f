// Package cluster brings a whole cluster up and takes it down.
//
// There are two tiers. Full is a control plane, a node, a registry and
// Tekton; it needs root and there is one on a machine. ControlPlane is etcd
// and the API server alone, as any user, for tests of what speaks to the API
// only; there may be as many as there are state directories.
//
// Up looks at each part and does what is missing, so that it starts, repairs
// and confirms alike. Down goes by what it finds on the machine, not by what
// was meant to be there. Each may be killed at any moment and run again.
package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"imagecatalog.dev/catalog/test/cluster/internal/binary"
	"imagecatalog.dev/catalog/test/cluster/internal/cgroup"
	"imagecatalog.dev/catalog/test/cluster/internal/kube"
	"imagecatalog.dev/catalog/test/cluster/internal/network"
	"imagecatalog.dev/catalog/test/cluster/internal/node"
	"imagecatalog.dev/catalog/test/cluster/internal/pki"
	"imagecatalog.dev/catalog/test/cluster/internal/process"
	"imagecatalog.dev/catalog/test/cluster/internal/progress"
	"imagecatalog.dev/catalog/test/cluster/internal/registry"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
	"imagecatalog.dev/catalog/test/cluster/internal/sysctl"
)

// Cluster is one cluster of either tier.
type Cluster struct {
	Dir      state.Dir
	Full     bool
	Binaries binary.Set
	Images   string // folder where the registry keeps images
	Log      *progress.Log
}

// startTimeout is generous: a slow machine is no error, and a part that ends
// is noticed at once.
const startTimeout = 3 * time.Minute

// systemPath is where a part finds the few programs that are not ours.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// AuditLog is the path of the API server's.
func (c Cluster) AuditLog() string { return kube.AuditLog(string(c.Dir)) }

// Kubeconfig is the path of the administrator's.
func (c Cluster) Kubeconfig() string { return c.Dir.File("kubeconfig") }

func (c Cluster) owner() process.Owner {
	return process.Owner{
		Cluster: string(c.Dir),
		Logs:    c.Dir.File("logs"),
		Path:    c.Binaries.Dir + ":" + systemPath,
	}
}

func (c Cluster) keys() pki.Dir { return pki.Dir(c.Dir.File("pki")) }

func (c Cluster) network() network.Network { return network.Network{Owner: string(c.Dir)} }

func (c Cluster) settings() sysctl.Settings {
	return sysctl.Settings{File: c.Dir.File("sysctl.json"), Root: "/proc/sys"}
}

func (c Cluster) kubeconfigs() kube.Kubeconfigs {
	return kube.Kubeconfigs{
		Admin:       c.Kubeconfig(),
		Controllers: c.Dir.File("kubeconfigs", "controllers"),
		Scheduler:   c.Dir.File("kubeconfigs", "scheduler"),
		Kubelet:     c.Dir.File("kubeconfigs", "kubelet"),
		Proxy:       c.Dir.File("kubeconfigs", "proxy"),
		Volumes:     c.Dir.File("kubeconfigs", "volumes"),
	}
}

// controlPlane describes the tier's control plane. A node's API server has a
// fixed address, which pods and the host share.
func (c Cluster) controlPlane(ports kube.Ports, join func(int) error) kube.ControlPlane {
	plane := kube.ControlPlane{
		Bin:         c.Binaries.Dir,
		Dir:         string(c.Dir),
		Keys:        c.keys(),
		Address:     "127.0.0.1",
		Services:    network.Services,
		Ports:       ports,
		Full:        c.Full,
		Join:        join,
		Kubeconfigs: c.kubeconfigs(),
	}
	if c.Full {
		plane.Address, plane.Ports.APIServer = network.NodeIP, 6443
	}
	return plane
}

func (c Cluster) node(join func(int) error) node.Node {
	return node.Node{
		Bin:         c.Binaries.Dir,
		Dir:         c.Dir.File("node"),
		Keys:        c.keys(),
		Kubeconfigs: c.kubeconfigs(),
		Registry:    registry.Address,
		CgroupRoot:  c.Dir.Name(),
		Join:        join,
	}
}

func (c Cluster) registry(join func(int) error) registry.Registry {
	return registry.Registry{Bin: c.Binaries.Dir, Storage: c.Images, Config: c.Dir.File("registry.yaml"), Join: join}
}

// lock keeps other programs off the cluster.
func (c Cluster) lock(ctx context.Context) (unlock func(), err error) {
	return c.Dir.Lock(ctx, func() { c.Log.Say("waiting for another program that works on %s", c.Dir) })
}

// groups makes the control groups: one for the control plane, with a limit,
// and one for the rest, without. A control plane alone does without them where
// they cannot be made, as other users than root and root in a container.
func (c Cluster) groups() (limited, unlimited func(int) error, err error) {
	if !c.Full && os.Getuid() != 0 {
		return nil, nil, nil
	}
	limited, unlimited, err = c.makeGroups()
	if err != nil && !c.Full {
		c.Log.Say("memory has soft limits only: %s", err)
		return nil, nil, nil
	}
	return limited, unlimited, err
}

func (c Cluster) makeGroups() (limited, unlimited func(int) error, err error) {
	group, err := cgroup.Find(c.Dir.Name())
	if err != nil {
		return nil, nil, err
	}
	if err := group.Create(); err != nil {
		return nil, nil, err
	}
	if limited, err = group.Leaf("control-plane", kube.HardMemory(c.Full)); err != nil {
		return nil, nil, err
	}
	unlimited, err = group.Leaf("node", 0)
	return limited, unlimited, err
}

// prepareKeys makes certificates and kubeconfigs.
func (c Cluster) prepareKeys(plane kube.ControlPlane) error {
	if err := plane.Keys.Ensure(kube.Leaves(plane.Address, network.APIService, node.Name)); err != nil {
		return err
	}
	paths := c.kubeconfigs()
	clients := map[string]string{paths.Admin: "admin"}
	if c.Full {
		clients[paths.Controllers], clients[paths.Scheduler] = "controllers", "scheduler"
		clients[paths.Kubelet], clients[paths.Proxy] = "kubelet", "proxy"
		clients[paths.Volumes] = "volumes"
	}
	for path, client := range clients {
		if err := kube.WriteKubeconfig(path, plane.Server(), plane.Keys, client); err != nil {
			return err
		}
	}
	return nil
}

// startControlPlane returns when the API server is ready.
func (c Cluster) startControlPlane(ctx context.Context, plane kube.ControlPlane) (kube.API, error) {
	owner := c.owner()
	if err := owner.Ensure(ctx, plane.Etcd()); err != nil {
		return kube.API{}, err
	}
	if err := owner.Ensure(ctx, plane.APIServer()); err != nil {
		return kube.API{}, err
	}
	api, err := kube.NewAPI(plane.Server(), plane.Keys)
	if err != nil {
		return kube.API{}, err
	}
	if err := owner.Await(ctx, kube.APIServer, startTimeout, api.Ready); err != nil {
		return kube.API{}, fmt.Errorf("wait for the API server: %w", err)
	}
	return api, nil
}

// forgetOtherBoot wipes a state that speaks of processes and mounts of before
// a reboot: making a cluster anew takes less than mending one.
func (c Cluster) forgetOtherBoot(ctx context.Context) error {
	same, err := c.Dir.SameBoot()
	if err != nil || same {
		return err
	}
	c.Log.Say("the machine was restarted since the last up: starting afresh")
	if err := c.settings().Forget(); err != nil {
		return err
	}
	if err := c.clean(ctx); err != nil {
		return err
	}
	_, err = c.Dir.SameBoot()
	return err
}

// DefaultDir is the state directory of a tier below the cache.
func DefaultDir(cache string, full bool) string {
	if full {
		return filepath.Join(cache, "run")
	}
	return filepath.Join(cache, "run-control-plane")
}
