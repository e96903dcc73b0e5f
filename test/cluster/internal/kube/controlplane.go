// Package kube runs the control plane, etcd and Kubernetes' own servers, and
// speaks to it.
package kube

import (
	"fmt"
	"path/filepath"

	"imagecatalog.dev/catalog/test/cluster/internal/pki"
	"imagecatalog.dev/catalog/test/cluster/internal/process"
)

// Names of the parts.
const (
	Etcd        = "etcd"
	APIServer   = "kube-apiserver"
	Controllers = "kube-controller-manager"
	Scheduler   = "kube-scheduler"
)

// Memory of the control plane. Unbounded, a load test that lists everything
// has driven an API server to 22 GB and the machine into swap. The soft limits
// make Go's collector work harder near them (GOMEMLIMIT); the hard one, on
// the control group of all four, stops what cannot be collected. They leave
// half of an 8 GiB machine to the rest. A control plane alone has no pods to
// leave anything to, and loads that a cluster has not: 100,000 entries of the
// catalog take 80 KB each of the API server's memory.
const (
	hardMemory      = 4 << 30 // bytes
	hardMemoryAlone = 12 << 30

	etcdMemory           = "GOMEMLIMIT=768MiB"
	apiServerMemory      = "GOMEMLIMIT=2GiB"
	apiServerMemoryAlone = "GOMEMLIMIT=8GiB"

	controllerMemory = "GOMEMLIMIT=384MiB"
	schedulerMemory  = "GOMEMLIMIT=256MiB"
)

// ownerPermissions is an admission plugin that is off by default and on in
// OpenShift: only who may delete an object, or finalize its owner, may name an
// owner that blocks its deletion.
const ownerPermissions = "OwnerReferencesPermissionEnforcement"

// ControlPlane describes one; its methods describe the parts.
type ControlPlane struct {
	Bin         string // folder of the programs
	Dir         string // folder of etcd's data and the kubeconfigs
	Keys        pki.Dir
	Address     string // where the API server listens, and what it advertises
	Services    string // range of the services' addresses
	Ports       Ports
	Full        bool // with nodes: kubelets to reach, service accounts in pods
	Join        func(pid int) error
	Kubeconfigs Kubeconfigs
}

// Kubeconfigs are the paths of what the clients connect with.
type Kubeconfigs struct{ Admin, Controllers, Scheduler, Kubelet, Proxy, Volumes string }

// HardMemory is what all parts together may take, in bytes.
func HardMemory(full bool) int64 {
	if full {
		return hardMemory
	}
	return hardMemoryAlone
}

// Server is the URL of the API server.
func (c ControlPlane) Server() string {
	return fmt.Sprintf("https://%s:%d", c.Address, c.Ports.APIServer)
}

func (c ControlPlane) part(name, memory string, args ...string) process.Part {
	return process.Part{Name: name, Path: filepath.Join(c.Bin, name), Args: args, Env: []string{memory}, Join: c.Join}
}

// Etcd keeps its data without waiting for the disk: a crash of the process
// loses nothing, and after a crash of the machine the cluster is made anew.
func (c ControlPlane) Etcd() process.Part {
	client, peer := c.etcdURL(), fmt.Sprintf("http://127.0.0.1:%d", c.Ports.EtcdPeer)
	return c.part(Etcd, etcdMemory,
		"--name=node",
		"--data-dir="+filepath.Join(c.Dir, "etcd"),
		"--listen-client-urls="+client,
		"--advertise-client-urls="+client,
		"--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer,
		"--initial-cluster=node="+peer,
		"--unsafe-no-fsync",
		"--log-level=warn",
	)
}

func (c ControlPlane) etcdURL() string { return fmt.Sprintf("http://127.0.0.1:%d", c.Ports.EtcdClient) }

// APIServer reads its certificates and the audit policy once, at its start.
func (c ControlPlane) APIServer() process.Part {
	args := []string{
		"--etcd-servers=" + c.etcdURL(),
		"--bind-address=" + c.Address,
		"--advertise-address=" + c.Address,
		fmt.Sprintf("--secure-port=%d", c.Ports.APIServer),
		"--tls-cert-file=" + c.Keys.Cert("apiserver"),
		"--tls-private-key-file=" + c.Keys.Key("apiserver"),
		"--client-ca-file=" + c.Keys.CA(),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.Keys.TokenPublicKey(),
		"--service-account-signing-key-file=" + c.Keys.TokenKey(),
		"--service-cluster-ip-range=" + c.Services,
		"--profiling=false",
	}
	args = append(args, c.auditFlags()...)
	memory := apiServerMemory
	if c.Full {
		args = append(args, c.nodeFlags()...)
	} else {
		memory = apiServerMemoryAlone
		args = append(args, aloneFlags()...)
	}
	part := c.part(APIServer, memory, args...)
	part.Inputs = []string{c.Keys.Cert("apiserver"), c.AuditPolicy()}
	return part
}

// nodeFlags are what an API server with a node needs: to admit and reach the
// kubelet, and to serve extension API servers.
func (c ControlPlane) nodeFlags() []string {
	return []string{
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction," + ownerPermissions,
		"--allow-privileged=true",
		"--kubelet-client-certificate=" + c.Keys.Cert("apiserver-kubelet-client"),
		"--kubelet-client-key=" + c.Keys.Key("apiserver-kubelet-client"),
		"--kubelet-certificate-authority=" + c.Keys.CA(),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.Keys.CA(),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.Keys.Cert("front-proxy-client"),
		"--proxy-client-key-file=" + c.Keys.Key("front-proxy-client"),
	}
}

// aloneFlags suit an API server without controllers: nobody would create the
// service accounts that the admission plugin waits for, and nothing reads the
// endpoints of the kubernetes service.
func aloneFlags() []string {
	return []string{
		"--authorization-mode=RBAC",
		"--enable-admission-plugins=" + ownerPermissions,
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
	}
}

// Controllers is the controller manager. There is one, so it need not be
// elected; a lease would only delay it after a crash.
func (c ControlPlane) Controllers() process.Part {
	return c.part(Controllers, controllerMemory,
		"--kubeconfig="+c.Kubeconfigs.Controllers,
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
		"--root-ca-file="+c.Keys.CA(),
		"--service-account-private-key-file="+c.Keys.TokenKey(),
		// Made at the start, by default in /usr/libexec.
		"--flex-volume-plugin-dir="+filepath.Join(c.Dir, "flex-volume-plugins"),
		// Each controller under its own account: the default roles assume it.
		"--use-service-account-credentials=true",
	)
}

// Scheduler is the scheduler, likewise alone.
func (c ControlPlane) Scheduler() process.Part {
	return c.part(Scheduler, schedulerMemory,
		"--kubeconfig="+c.Kubeconfigs.Scheduler,
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	)
}

// Leaves are the certificates of a control plane, and of a node if it is to
// have one.
func Leaves(address, service, node string) []pki.Leaf {
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	return []pki.Leaf{
		{Name: "apiserver", CommonName: "kube-apiserver", IPs: []string{"127.0.0.1", address, service}, DNSNames: names},
		{Name: "admin", CommonName: "admin", Organizations: []string{"system:masters"}},
		{Name: "controllers", CommonName: "system:kube-controller-manager"},
		{Name: "scheduler", CommonName: "system:kube-scheduler"},
		{Name: "proxy", CommonName: "system:kube-proxy"},
		{Name: "volumes", CommonName: "imagecatalog:volume-provisioner"},
		{Name: "kubelet", CommonName: "system:node:" + node, Organizations: []string{"system:nodes"}},
		{Name: "kubelet-server", CommonName: "system:node:" + node, IPs: []string{address}, DNSNames: []string{node}},
		{Name: "apiserver-kubelet-client", CommonName: "apiserver-kubelet-client", Organizations: []string{"system:masters"}},
		{Name: "front-proxy-client", CommonName: "front-proxy-client"},
	}
}
