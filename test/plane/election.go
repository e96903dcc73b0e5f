package plane

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EndTerm deletes the leases of the controllers' election. One that was killed leaves them behind, and the next would wait
// for them to end (lease-duration of config-leader-election) before it leads. No controller may run.
func (p *Plane) EndTerm(ctx context.Context) error {
	leases := p.Kube.CoordinationV1().Leases(SystemNamespace)
	list, err := leases.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("looking for the leases of an election: %w", err)
	}
	for _, lease := range list.Items {
		if !strings.HasPrefix(lease.Name, "controller.") {
			continue // a claim, or the webhook's
		}
		if err := leases.Delete(ctx, lease.Name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("ending the election of a controller: %w", err)
		}
	}
	return nil
}
