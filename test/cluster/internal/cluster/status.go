package cluster

import (
	"context"
	"fmt"

	"imagecatalog.dev/catalog/test/cluster/internal/kube"
	"imagecatalog.dev/catalog/test/cluster/internal/node"
	"imagecatalog.dev/catalog/test/cluster/internal/registry"
	"imagecatalog.dev/catalog/test/cluster/internal/tekton"
)

// Status tells, a line each, which parts run and whether they answer.
func (c Cluster) Status(ctx context.Context) (lines []string, healthy bool, err error) {
	healthy = true
	for _, name := range c.parts() {
		process, running, err := c.owner().Find(name)
		if err != nil {
			return nil, false, err
		}
		if !running {
			healthy = false
			lines = append(lines, fmt.Sprintf("%-24s does not run", name))
			continue
		}
		lines = append(lines, fmt.Sprintf("%-24s runs as process %d", name, process.PID))
	}
	if !healthy {
		return lines, false, nil
	}
	for _, check := range c.checks() {
		answer := "yes"
		if err := check.ask(ctx); err != nil {
			answer, healthy = err.Error(), false
		}
		lines = append(lines, fmt.Sprintf("%-24s %s", check.name, answer))
	}
	return lines, healthy, nil
}

func (c Cluster) parts() []string {
	parts := []string{kube.Etcd, kube.APIServer}
	if c.Full {
		parts = append(parts, kube.Controllers, kube.Scheduler, registry.Name, node.Containerd, node.Kubelet, node.Proxy, node.Volumes)
	}
	return parts
}

type check struct {
	name string
	ask  func(context.Context) error
}

func (c Cluster) checks() []check {
	ask := func(question func(context.Context, kube.API) error) func(context.Context) error {
		return func(ctx context.Context) error {
			ports, err := kube.EnsurePorts(c.Dir.File("ports.json"))
			if err != nil {
				return err
			}
			api, err := kube.NewAPI(c.controlPlane(ports, nil).Server(), c.keys())
			if err != nil {
				return err
			}
			return question(ctx, api)
		}
	}
	checks := []check{{"API server is ready", ask(func(ctx context.Context, api kube.API) error { return api.Ready(ctx) })}}
	if !c.Full {
		return checks
	}
	return append(checks,
		check{"registry answers", registry.Answers},
		check{"node is Ready", ask(func(ctx context.Context, api kube.API) error { return api.NodeReady(ctx, node.Name) })},
		check{"Tekton refuses bad Tasks", ask(func(ctx context.Context, api kube.API) error { return tekton.Tekton{API: api}.Enforces(ctx) })},
	)
}
