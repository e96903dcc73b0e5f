// Package binary builds everything the cluster runs from source, once, and
// tools of the tests that it does not run.
//
// What is built is pinned by the go.mod and go.sum files below source/ and
// tools/, one module for each set of programs that can share versions. The result lies in
// a folder named by a key over those files, the sources beside them, the
// build flags and the Go version: whatever changes, changes the key, and a
// folder that exists is complete.
package binary

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
)

// component is a set of programs built by one call of go build.
type component struct {
	Name     string
	Module   string   // folder below source/
	Packages []string // what to build
	Into     string   // folder of the result, "" for the top
	LDFlags  string   // a template: {{version "module"}} is what go.mod pins, {{minor "module"}} its second number
	Tags     string
	CGO      bool
	Links    map[string]string // name -> the program it stands for
}

// clusterComponents lists the longest builds first, so that none is left alone
// at the end.
func clusterComponents() []component {
	return []component{
		{
			Name: "Kubernetes and etcd", Module: "kube", Packages: []string{"./hyperkube"},
			// kubectl and Tekton ask for the version: unstamped it reads v0.0.0-master.
			LDFlags: `-X k8s.io/component-base/version.gitVersion={{version "k8s.io/kubernetes"}}` +
				` -X k8s.io/component-base/version.gitMajor=1` +
				` -X k8s.io/component-base/version.gitMinor={{minor "k8s.io/kubernetes"}}` +
				` -X k8s.io/component-base/version.gitTreeState=clean` +
				` -X k8s.io/client-go/pkg/version.gitVersion={{version "k8s.io/kubernetes"}}`,
			Links: links("hyperkube", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "volume-provisioner"),
		},
		{
			Name: "Tekton Pipelines", Module: "tekton", Into: "tekton",
			Packages: under("github.com/tektoncd/pipeline/cmd/", "controller", "webhook", "entrypoint", "nop", "workingdirinit", "sidecarlogresults"),
		},
		{Name: "ko", Module: "ko", Packages: []string{"github.com/google/ko"}, LDFlags: `-X github.com/google/ko/pkg/commands.Version={{version "github.com/google/ko"}}`},
		{
			Name: "containerd", Module: "node",
			Packages: under("github.com/containerd/containerd/v2/cmd/", "containerd", "containerd-shim-runc-v2"),
			LDFlags:  `-X github.com/containerd/containerd/v2/version.Version={{version "github.com/containerd/containerd/v2"}}`,
		},
		{Name: "tkn", Module: "tekton", Packages: []string{"./tkn"}, LDFlags: `-X github.com/tektoncd/cli/pkg/cmd/version.clientVersion={{version "github.com/tektoncd/cli"}}`},
		{Name: "the registry", Module: "registry", Packages: []string{"."}},
		{
			// Its first stage is C. Pods that ask for the default seccomp
			// profile, as restricted ones must, need libseccomp in it.
			Name: "runc", Module: "runc", Packages: []string{"github.com/opencontainers/runc"}, CGO: true, Tags: "seccomp,netgo,osusergo",
			LDFlags: `-extldflags -static -X main.version={{version "github.com/opencontainers/runc"}}`,
		},
		{Name: "the pods' network plugins", Module: "node", Into: "cni", Packages: under("github.com/containernetworking/plugins/plugins/", "main/ptp", "ipam/host-local")},
		{Name: "pause", Module: "node", Packages: []string{"./pause"}},
	}
}

// cosignComponents is the one program that signatures are tested with.
func cosignComponents() []component {
	return []component{{
		Name: "cosign", Module: "cosign", Packages: []string{"github.com/sigstore/cosign/v3/cmd/cosign"},
		LDFlags: `-X sigs.k8s.io/release-utils/version.gitVersion={{version "github.com/sigstore/cosign/v3"}}`,
	}}
}

func under(prefix string, names ...string) []string {
	packages := make([]string, len(names))
	for i, name := range names {
		packages[i] = prefix + name
	}
	return packages
}

func links(target string, names ...string) map[string]string {
	links := map[string]string{}
	for _, name := range names {
		links[name] = target
	}
	return links
}

// ldflags strips symbols, which halves the binaries, and stamps versions.
func (c component) ldflags(source string) (string, error) {
	file := filepath.Join(source, c.Module, "go.mod")
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	module, err := modfile.Parse(file, content, nil)
	if err != nil {
		return "", err
	}
	version := func(path string) (string, error) {
		for _, require := range module.Require {
			if require.Mod.Path == path {
				return require.Mod.Version, nil
			}
		}
		return "", fmt.Errorf("%s does not require %s", file, path)
	}
	minor := func(path string) (string, error) {
		v, err := version(path)
		_, rest, _ := strings.Cut(v, ".")
		number, _, _ := strings.Cut(rest, ".")
		return number, err
	}
	flags, err := template.New("ldflags").Funcs(template.FuncMap{"version": version, "minor": minor}).Parse("-s -w " + c.LDFlags)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = flags.Execute(&out, nil)
	return out.String(), err
}
