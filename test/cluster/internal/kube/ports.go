package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"

	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

// Ports of a control plane on this machine.
type Ports struct {
	APIServer  int `json:"apiServer"`
	EtcdClient int `json:"etcdClient"`
	EtcdPeer   int `json:"etcdPeer"`
}

// EnsurePorts reads the ports from the file, or picks free ones and remembers
// them there: clients hold on to them while the servers come and go.
func EnsurePorts(file string) (Ports, error) {
	var ports Ports
	content, err := os.ReadFile(file)
	if err == nil {
		if err := json.Unmarshal(content, &ports); err != nil {
			return Ports{}, fmt.Errorf("read ports from %q: %w", file, err)
		}
		return ports, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Ports{}, fmt.Errorf("read ports: %w", err)
	}
	free, err := freePorts(3)
	if err != nil {
		return Ports{}, err
	}
	ports = Ports{APIServer: free[0], EtcdClient: free[1], EtcdPeer: free[2]}
	if content, err = json.Marshal(ports); err != nil {
		return Ports{}, err
	}
	return ports, state.Write(file, content, 0o644)
}

// Ports are picked below those that Linux hands out to clients by default
// (from 32768, see ip(7)): there, any connection of anyone could sit on a port
// while its server restarts.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePorts holds all of them open before it lets go of any, so that they differ.
func freePorts(count int) ([]int, error) {
	var ports []int
	for tries := 0; len(ports) < count; tries++ {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it does not wait
		if err != nil && tries > lastPort-firstPort {
			return nil, fmt.Errorf("find a free port from %d to %d: %w", firstPort, lastPort, err)
		}
		if err != nil {
			continue
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, port)
	}
	return ports, nil
}
