package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The parts of a control plane.
const (
	Etcd      = "etcd"
	APIServer = "kube-apiserver"
)

// ControlPlane is what test/cluster runs with this state directory, which its env prints as IMAGE_CATALOG_STATE.
type ControlPlane string

// Part is the process of a part that runs.
func (c ControlPlane) Part(ctx context.Context, name string) (*os.Process, error) {
	status, err := c.cluster(ctx, "status")
	if err != nil {
		return nil, err
	}
	match := regexp.MustCompile(`(?m)^` + name + ` +runs as process (\d+)$`).FindStringSubmatch(status)
	if match == nil {
		return nil, fmt.Errorf("looking for the process of %s: the status is: %s", name, status)
	}
	id, err := strconv.Atoi(match[1])
	if err != nil {
		return nil, err
	}
	return os.FindProcess(id)
}

// Up starts the parts that do not run, and returns when the API server is ready.
func (c ControlPlane) Up(ctx context.Context) error {
	_, err := c.cluster(ctx, "up")
	return err
}

func (c ControlPlane) cluster(ctx context.Context, command string) (string, error) {
	if c == "" {
		return "", errors.New("no state directory of a control plane is given (IMAGE_CATALOG_STATE); see: go run -C test/cluster . env --control-plane")
	}
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	run := exec.CommandContext(ctx, "go", "run", "-C", filepath.Join(root, "test", "cluster"), ".", command, "--control-plane", "--dir", string(c))
	var said strings.Builder
	run.Stderr = &said
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("running test/cluster %s: %w: %s", command, err, said.String())
	}
	return string(out), nil
}
