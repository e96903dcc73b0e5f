// Hyperkube is every Kubernetes program of the cluster, and etcd, in one
// binary: they share most of their packages, so that one link instead of
// seven saves minutes and a gigabyte. It acts as the program whose name it is
// called by (a symbolic link), or the one its first argument names.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"imagecatalog.dev/catalog/test/cluster/source/kube/volumes"
)

// programs builds no command before it is chosen: the constructors register
// flags and metrics that collide with one another's.
func programs() map[string]func() {
	return map[string]func(){
		"kube-apiserver":          func() { run(apiserver.NewAPIServerCommand()) },
		"kube-controller-manager": func() { run(controllers.NewControllerManagerCommand()) },
		"kube-scheduler":          func() { run(scheduler.NewSchedulerCommand()) },
		"kube-proxy":              func() { run(proxy.NewProxyCommand()) },
		"kubelet":                 func() { run(kubelet.NewKubeletCommand(context.Background())) },
		"volume-provisioner":      func() { run(volumes.NewCommand()) },
		"kubectl":                 runKubectl,
		"etcd":                    func() { etcdmain.Main(os.Args) },
	}
}

func main() {
	programs := programs()
	if program, ok := programs[filepath.Base(os.Args[0])]; ok {
		program()
		return
	}
	if len(os.Args) > 1 {
		if program, ok := programs[os.Args[1]]; ok {
			os.Args = os.Args[1:]
			program()
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: hyperkube PROGRAM [flags]; programs:", slices.Sorted(maps.Keys(programs)))
	os.Exit(2)
}

func run(command *cobra.Command) { os.Exit(cli.Run(command)) }

// runKubectl prints errors kubectl's own way, with its own exit codes.
func runKubectl() {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}
