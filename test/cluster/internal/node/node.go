// Package node runs what makes this machine the cluster's one node:
// containerd with runc and a network plugin, kubelet and kube-proxy. All they
// keep and mount is below one folder, and what they would put elsewhere,
// although told not to, Clean knows.
package node

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"imagecatalog.dev/catalog/test/cluster/internal/kube"
	"imagecatalog.dev/catalog/test/cluster/internal/network"
	"imagecatalog.dev/catalog/test/cluster/internal/pki"
	"imagecatalog.dev/catalog/test/cluster/internal/process"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

// Name is the node's name in the cluster.
const Name = "node"

// Names of the parts.
const (
	Containerd = "containerd"
	Kubelet    = "kubelet"
	Proxy      = "kube-proxy"
	Volumes    = "volume-provisioner"
)

//go:embed containerd.toml
var containerdConfig string

//go:embed hosts.toml
var hostsConfig string

//go:embed network.conflist
var networkConfig string

//go:embed kubelet.yaml
var kubeletConfig string

// Node describes the node; its exported fields are what the configuration
// files refer to.
type Node struct {
	Bin         string // folder of the programs
	Dir         string // folder of everything the node keeps
	Keys        pki.Dir
	Kubeconfigs kube.Kubeconfigs
	Registry    string // host:port, spoken to in plain HTTP
	PauseImage  string
	CgroupRoot  string // pods' control groups are made below it
	Join        func(pid int) error
}

// file is a path in the node's folder.
func (n Node) file(elements ...string) string {
	return filepath.Join(append([]string{n.Dir}, elements...)...)
}

// IP is the node's address.
func (n Node) IP() string { return network.NodeIP }

// Socket is where containerd listens.
func (n Node) Socket() string { return n.file("containerd.sock") }

// Configure writes the configuration files.
func (n Node) Configure() error {
	for path, text := range map[string]string{
		n.file("containerd.toml"):                   containerdConfig,
		n.file("certs.d", n.Registry, "hosts.toml"): hostsConfig,
		n.file("cni", "10-pods.conflist"):           networkConfig,
		n.file("kubelet.yaml"):                      kubeletConfig,
	} {
		content, err := kube.Render(path, text, n)
		if err != nil {
			return err
		}
		if err := state.Write(path, content, 0o644); err != nil {
			return err
		}
	}
	// Pods get no name server: there is none, and the host's is out of reach.
	return state.Write(n.file("resolv.conf"), nil, 0o644)
}

// Containerd must run before the kubelet starts.
func (n Node) Containerd() process.Part {
	config := n.file("containerd.toml")
	return process.Part{
		Name:   Containerd,
		Path:   filepath.Join(n.Bin, Containerd),
		Args:   []string{"--config", config},
		Inputs: []string{config},
		Join:   n.Join,
	}
}

// ContainerdAnswers is nil when containerd listens: it does so only after all
// its plugins are loaded.
func (n Node) ContainerdAnswers(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", n.Socket())
	if err != nil {
		return fmt.Errorf("connect to containerd: %w", err)
	}
	return connection.Close()
}

// Kubelet runs the pods.
func (n Node) Kubelet() process.Part {
	config := n.file("kubelet.yaml")
	return process.Part{
		Name: Kubelet,
		Path: filepath.Join(n.Bin, Kubelet),
		Args: []string{
			"--config=" + config,
			"--kubeconfig=" + n.Kubeconfigs.Kubelet,
			"--root-dir=" + n.file("kubelet"),
			"--cert-dir=" + n.file("kubelet", "pki"),
			"--hostname-override=" + Name,
			"--node-ip=" + n.IP(),
		},
		Inputs: []string{config},
		Join:   n.Join,
	}
}

// Proxy makes services reachable, by nftables. It leaves the kernel's
// connection tracking as it is: the limits are the host's, not ours.
func (n Node) Proxy() process.Part {
	return process.Part{
		Name: Proxy,
		Path: filepath.Join(n.Bin, Proxy),
		Args: []string{
			"--kubeconfig=" + n.Kubeconfigs.Proxy,
			"--proxy-mode=nftables",
			"--hostname-override=" + Name,
			"--cluster-cidr=" + network.Pods,
			"--conntrack-max-per-core=0",
			"--conntrack-tcp-timeout-established=0",
			"--conntrack-tcp-timeout-close-wait=0",
			"--bind-address=127.0.0.1",
			// On an address of our own, where no other proxy can be.
			"--metrics-bind-address=" + network.NodeIP + ":10249",
			"--healthz-bind-address=" + proxyHealth,
			"--nodeport-addresses=" + network.NodeIP + "/32",
			// Lowering it takes CAP_SYS_RESOURCE, which root in a container may lack.
			"--oom-score-adj=0",
		},
		Join: n.Join,
	}
}

// Volumes makes and deletes the folders behind persistent volumes.
func (n Node) Volumes() process.Part {
	return process.Part{
		Name: Volumes,
		Path: filepath.Join(n.Bin, Volumes),
		Args: []string{"--kubeconfig=" + n.Kubeconfigs.Volumes, "--root=" + n.file("volumes")},
		Join: n.Join,
	}
}

const proxyHealth = network.NodeIP + ":10256"

// ProxyAnswers is nil when kube-proxy says that its rules are in place.
func ProxyAnswers(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+proxyHealth+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask kube-proxy: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask kube-proxy: %s", response.Status)
	}
	return nil
}

// Settings are the kernel settings that kubelet, kube-proxy and the network
// plugin change.
func Settings() []string {
	return []string{
		"kernel/keys/root_maxbytes",
		"kernel/keys/root_maxkeys",
		"kernel/panic",
		"kernel/panic_on_oops",
		"net/ipv4/conf/all/route_localnet",
		"net/ipv4/ip_forward",
		"net/netfilter/nf_conntrack_tcp_be_liberal",
		"vm/overcommit_memory",
		"vm/panic_on_oom",
	}
}
