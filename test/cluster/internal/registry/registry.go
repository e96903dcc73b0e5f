// Package registry runs the cluster's image registry on the node's address,
// where the host, the pods and containerd all reach it. What it stores
// outlives the cluster.
package registry

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"path/filepath"

	"imagecatalog.dev/catalog/test/cluster/internal/kube"
	"imagecatalog.dev/catalog/test/cluster/internal/network"
	"imagecatalog.dev/catalog/test/cluster/internal/process"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

const (
	// Name of the part.
	Name = "registry"
	// Address is where it listens, in plain HTTP: go-containerregistry, and
	// with it ko and Tekton, tries that on private addresses.
	Address = network.NodeIP + ":5000"
	// BaseImage is for ko to build on: nothing but a user and a /tmp, for amd64 and arm64.
	BaseImage = Address + "/cluster/base:nonroot"
)

//go:embed registry.yaml
var config string

// Registry describes one; its exported fields are what the configuration
// file refers to.
type Registry struct {
	Bin     string // folder of the programs
	Storage string // folder of what was pushed
	Config  string // file to write the configuration to
	Join    func(pid int) error
}

// Address is where it listens.
func (r Registry) Address() string { return Address }

// Configure writes the configuration file.
func (r Registry) Configure() error {
	content, err := kube.Render("registry.yaml", config, r)
	if err != nil {
		return err
	}
	return state.Write(r.Config, content, 0o644)
}

// Part describes the process.
func (r Registry) Part() process.Part {
	return process.Part{
		Name:   Name,
		Path:   filepath.Join(r.Bin, "registry"),
		Args:   []string{"serve", r.Config},
		Env:    []string{"OTEL_TRACES_EXPORTER=none"},
		Inputs: []string{r.Config},
		Join:   r.Join,
	}
}

// Answers is nil when the registry serves.
func Answers(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+Address+"/v2/", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("registry at %s: %s", Address, response.Status)
	}
	return nil
}
