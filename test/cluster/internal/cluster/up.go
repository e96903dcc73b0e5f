package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"imagecatalog.dev/catalog/test/cluster/internal/debian"
	"imagecatalog.dev/catalog/test/cluster/internal/image"
	"imagecatalog.dev/catalog/test/cluster/internal/kube"
	"imagecatalog.dev/catalog/test/cluster/internal/node"
	"imagecatalog.dev/catalog/test/cluster/internal/registry"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
	"imagecatalog.dev/catalog/test/cluster/internal/tekton"
)

//go:embed storage.yaml
var storage []byte

// Up makes the cluster be up and of use. It changes only what is not yet as
// it should be.
func (c Cluster) Up(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.forgetOtherBoot(ctx); err != nil {
		return err
	}
	if c.Full {
		return c.upFull(ctx)
	}
	return c.upControlPlane(ctx)
}

func (c Cluster) upControlPlane(ctx context.Context) error {
	plane, _, err := c.prepare()
	if err != nil {
		return err
	}
	return c.Log.Step("etcd and API server answer at "+plane.Server(), func() error {
		_, err := c.startControlPlane(ctx, plane)
		return err
	})
}

// prepare does what takes no time and starts nothing.
func (c Cluster) prepare() (plane kube.ControlPlane, joinNode func(int) error, err error) {
	limited, unlimited, err := c.groups()
	if err != nil {
		return kube.ControlPlane{}, nil, err
	}
	ports, err := kube.EnsurePorts(c.Dir.File("ports.json"))
	if err != nil {
		return kube.ControlPlane{}, nil, err
	}
	plane = c.controlPlane(ports, limited)
	if err := plane.Configure(); err != nil {
		return kube.ControlPlane{}, nil, err
	}
	return plane, unlimited, c.prepareKeys(plane)
}

// CheckFull says what is missing for a full cluster, before anything is changed.
func CheckFull() error {
	if os.Getuid() != 0 {
		return errors.New("a full cluster needs root, for networks, mounts and control groups: run this as root, or use up --control-plane")
	}
	return nil
}

// upFull works in two waves: what depends on nothing, then what needs it.
func (c Cluster) upFull(ctx context.Context) error {
	if err := debian.Ensure(ctx, c.Log, debian.ForRun()); err != nil {
		return err
	}
	if err := c.settings().Save(node.Settings()...); err != nil {
		return err
	}
	if err := c.Log.Step("network is there", func() error { return c.network().Ensure(ctx) }); err != nil {
		return err
	}
	plane, joinNode, err := c.prepare()
	if err != nil {
		return err
	}
	run := fullRun{Cluster: c, plane: plane, node: c.node(joinNode), registry: c.registry(joinNode)}
	if run.node.PauseImage, err = image.Reference(registry.Address+"/cluster/pause", run.pause()); err != nil {
		return err
	}
	if err := run.firstWave(ctx); err != nil {
		return err
	}
	if err := run.secondWave(ctx); err != nil {
		return err
	}
	return c.Log.Step("Tekton refuses a bad Task", func() error {
		return c.owner().Await(ctx, node.Kubelet, startTimeout, run.tekton().Enforces)
	})
}

// fullRun carries what one wave leaves for the next.
type fullRun struct {
	Cluster
	plane    kube.ControlPlane
	node     node.Node
	registry registry.Registry

	api          kube.API
	tektonImages map[string]string
}

func (r *fullRun) firstWave(ctx context.Context) error {
	wave, ctx := errgroup.WithContext(ctx)
	wave.Go(func() error {
		return r.Log.Step("control plane answers", func() error { return r.controlPlaneUp(ctx) })
	})
	wave.Go(func() error {
		if err := r.Log.Step("registry answers", func() error { return r.registryUp(ctx) }); err != nil {
			return err
		}
		return r.Log.Step("images are in the registry", func() error { return r.pushImages(ctx) })
	})
	wave.Go(func() error {
		return r.Log.Step("containerd answers", func() error { return r.containerdUp(ctx) })
	})
	return wave.Wait()
}

func (r *fullRun) secondWave(ctx context.Context) error {
	wave, ctx := errgroup.WithContext(ctx)
	wave.Go(func() error {
		return r.Log.Step("node is Ready", func() error { return r.nodeUp(ctx) })
	})
	wave.Go(func() error {
		return r.Log.Step("Tekton and storage class are applied", func() error { return r.apply(ctx) })
	})
	return wave.Wait()
}

func (r *fullRun) controlPlaneUp(ctx context.Context) (err error) {
	if r.api, err = r.startControlPlane(ctx, r.plane); err != nil {
		return err
	}
	if err := r.owner().Ensure(ctx, r.plane.Controllers()); err != nil {
		return err
	}
	return r.owner().Ensure(ctx, r.plane.Scheduler())
}

func (r *fullRun) registryUp(ctx context.Context) error {
	if err := os.MkdirAll(r.registry.Storage, 0o755); err != nil {
		return fmt.Errorf("create the registry's folder: %w", err)
	}
	if err := r.registry.Configure(); err != nil {
		return err
	}
	if err := r.owner().Ensure(ctx, r.registry.Part()); err != nil {
		return err
	}
	return r.owner().Await(ctx, registry.Name, startTimeout, registry.Answers)
}

// pause is the image of every pod's first container.
func (r *fullRun) pause() image.Content {
	return image.Content{
		Files:      map[string]string{"/pause": r.Binaries.Path("pause")},
		Entrypoint: []string{"/pause"},
		User:       image.NonRoot,
	}
}

func (r *fullRun) pushImages(ctx context.Context) (err error) {
	if err := image.Ensure(ctx, r.node.PauseImage, r.pause()); err != nil {
		return err
	}
	base := image.Content{User: image.NonRoot}
	if err := image.PushIndex(ctx, registry.BaseImage, base, "amd64", "arm64"); err != nil {
		return err
	}
	r.tektonImages, err = r.tekton().PushImages(ctx)
	return err
}

func (r *fullRun) containerdUp(ctx context.Context) error {
	if err := r.node.Configure(); err != nil {
		return err
	}
	if err := r.settings().Set("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	if err := r.owner().Ensure(ctx, r.node.Containerd()); err != nil {
		return err
	}
	return r.owner().Await(ctx, node.Containerd, startTimeout, r.node.ContainerdAnswers)
}

func (r *fullRun) nodeUp(ctx context.Context) error {
	if err := r.owner().Ensure(ctx, r.node.Kubelet()); err != nil {
		return err
	}
	if err := r.owner().Ensure(ctx, r.node.Proxy()); err != nil {
		return err
	}
	if err := r.owner().Await(ctx, node.Proxy, startTimeout, node.ProxyAnswers); err != nil {
		return err
	}
	return r.owner().Await(ctx, node.Kubelet, startTimeout, func(ctx context.Context) error {
		return r.api.NodeReady(ctx, node.Name)
	})
}

func (r *fullRun) apply(ctx context.Context) error {
	manifest := r.Dir.File("storage.yaml")
	if err := state.Write(manifest, storage, 0o644); err != nil {
		return err
	}
	if err := r.kubectl().Apply(ctx, manifest); err != nil {
		return err
	}
	if err := r.owner().Ensure(ctx, r.node.Volumes()); err != nil {
		return err
	}
	return r.tekton().Apply(ctx, r.tektonImages)
}

func (r *fullRun) kubectl() kube.Kubectl {
	return kube.Kubectl{Path: r.Binaries.Path("kubectl"), Kubeconfig: r.Kubeconfig()}
}

func (r *fullRun) tekton() tekton.Tekton {
	return tekton.Tekton{
		Binaries: r.Binaries,
		Dir:      r.Dir.File("tekton"),
		API:      r.api,
		Kubectl:  r.kubectl(),
	}
}
