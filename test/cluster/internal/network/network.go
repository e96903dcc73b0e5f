// Package network gives the node an address of its own and keeps its pods in.
//
// The node is a bridge without ports: its address is local to the host and
// reached from pods, whatever the host's other interfaces are. Services are
// routed to the bridge, where kube-proxy's rules catch what the host sends to
// them. A firewall rule of our own drops every packet that would be forwarded
// between the pods and anything else, so that the names and number of the
// host's interfaces do not matter.
package network

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
)

// The addresses of the cluster. There is one such cluster on a machine.
const (
	NodeIP   = "10.88.0.1"
	Pods     = "10.244.0.0/16"
	Services = "10.96.0.0/16"
	// APIService is the first address of Services: the API server's own.
	APIService = "10.96.0.1"

	bridge = "imagecatalog0"
)

//go:embed guard.nft
var guard string

// Network belongs to the cluster whose state directory it names.
type Network struct{ Owner string }

// Ensure makes the bridge, the route and the guard, those that are missing.
func (n Network) Ensure(ctx context.Context) error {
	link, err := n.link()
	if err != nil {
		return err
	}
	if link == nil {
		if err := checkFree(ctx); err != nil {
			return err
		}
		link = &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("add bridge %s: %w", bridge, err)
		}
	}
	if err := netlink.LinkSetAlias(link, n.Owner); err != nil {
		return fmt.Errorf("note the owner of %s: %w", bridge, err)
	}
	if err := configure(link); err != nil {
		return err
	}
	return nft(ctx, guard)
}

// link returns the bridge if it is there and ours, or nobody's: its maker was
// killed before it could note the owner.
func (n Network) link() (netlink.Link, error) {
	link, err := netlink.LinkByName(bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up bridge %s: %w", bridge, err)
	}
	if owner := link.Attrs().Alias; owner != "" && owner != n.Owner {
		return nil, fmt.Errorf("a cluster with its state in %q is up: take it down first (down --dir %s)", owner, owner)
	}
	return link, nil
}

func configure(link netlink.Link) error {
	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(NodeIP), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("give %s the address %s: %w", bridge, NodeIP, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", bridge, err)
	}
	_, services, err := net.ParseCIDR(Services)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: services, Src: net.ParseIP(NodeIP), Scope: netlink.SCOPE_LINK}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("route %s to %s: %w", Services, bridge, err)
	}
	return nil
}

// checkFree refuses to take addresses that the host uses for something else.
func checkFree(ctx context.Context) error {
	if exec.CommandContext(ctx, "nft", "list", "table", "ip", "kube-proxy").Run() == nil {
		return errors.New("this machine is a node of another Kubernetes cluster (nft list table ip kube-proxy): two kube-proxies would fight")
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, address := range addresses {
		if address.IP.String() == NodeIP {
			return fmt.Errorf("%s is already an address of this machine (%s): the cluster needs it; podman's default network, for one, uses it too", NodeIP, address.Label)
		}
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, route := range routes {
		for _, wanted := range []string{Pods, Services} {
			if overlaps(route.Dst, wanted) {
				return fmt.Errorf("this machine already routes %s: the cluster needs %s", route.Dst, wanted)
			}
		}
	}
	return nil
}

// overlaps leaves the default route aside: it gives way to any other.
func overlaps(route *net.IPNet, wanted string) bool {
	ip, network, err := net.ParseCIDR(wanted)
	if err != nil || route == nil || route.IP.IsUnspecified() {
		return false
	}
	return network.Contains(route.IP) || route.Contains(ip)
}

// Remove takes away the bridge, with it its routes, and the tables that we
// and kube-proxy made. The pods' interfaces go with their namespaces.
func (n Network) Remove(ctx context.Context) error {
	link, err := n.link()
	if err != nil {
		return err
	}
	if err := removeTables(ctx); err != nil {
		return err
	}
	if link == nil {
		return nil
	}
	if err := netlink.LinkDel(link); err != nil {
		return fmt.Errorf("delete bridge %s: %w", bridge, err)
	}
	return nil
}

// removeTables deletes each table after declaring it, which is no error
// whether it is there or not. Without nft no table was ever made.
func removeTables(ctx context.Context) error {
	if path, _ := exec.LookPath("nft"); path == "" {
		return nil
	}
	var script strings.Builder
	for _, table := range []string{"inet image_catalog", "ip kube-proxy", "ip6 kube-proxy"} {
		_, _ = fmt.Fprintf(&script, "table %s\ndelete table %s\n", table, table)
	}
	return nft(ctx, script.String())
}

// nft runs a script as one transaction.
func nft(ctx context.Context, script string) error {
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = strings.NewReader(script)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("change the firewall with nft: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}
