// Package plane runs the catalog as processes of this machine against a real API server: as a cluster runs it, without
// nodes, pods and images.
//
// What differs from an installation, and why it is the same for those who use it:
//
//   - config/ is applied as it is, but for the Deployments. Each process runs under the service account of its Deployment,
//     by a token of its own, with the Deployment's arguments and environment. So it can do what RBAC lets it, and no more.
//   - The API server wants a Service for a webhook. One of type ExternalName leads to loopback, where a balancer spreads
//     connections over the replicas, each on a port of its own, as a Service does over pods. One replica needs none.
//   - A replica is stopped and started when a test says so: in good order (SIGTERM) or not (SIGKILL).
//   - One replica of the webhook, and one of the query server, read lists before they watch, as on an API server that does not
//     stream what there is at the beginning of a watch (before Kubernetes 1.34). The others do not: both ways need their
//     permissions.
//
// `go run -C test/cluster . up --control-plane` makes a control plane for it.
package plane
