package catalogimage

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"imagecatalog.dev/catalog/pkg/tally"
)

const (
	queryPods = "app.kubernetes.io/name=query,app.kubernetes.io/part-of=image-catalog"
	tallyPort = "tally"
)

// queryReplicas are the pods of the query server.
type queryReplicas struct {
	pods       typedcorev1.PodInterface // of its namespace
	reader     *tally.Reader
	complaints rate.Sometimes
}

func newQueryReplicas(pods typedcorev1.PodInterface) *queryReplicas {
	return &queryReplicas{pods: pods, reader: tally.NewReader(), complaints: rate.Sometimes{Interval: 10 * time.Minute}}
}

// read reads those that answer. All have, when there are no pods besides that may run; the list is none of a cache, so what
// it lacks never comes back.
func (q *queryReplicas) read(ctx context.Context) (read []tally.Tally, all bool) {
	pods, err := q.pods.List(ctx, metav1.ListOptions{LabelSelector: queryPods})
	if err != nil {
		q.complain(ctx, err)
		return nil, false
	}
	all = true
	var mutex sync.Mutex
	var group errgroup.Group
	group.SetLimit(8)
	for n := range pods.Items {
		address, ok := addressOf(&pods.Items[n])
		if !ok {
			continue
		}
		group.Go(func() error {
			t, err := q.reader.Read(ctx, address)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				all = false
				q.complain(ctx, err)
				return nil
			}
			read = append(read, t)
			return nil
		})
	}
	_ = group.Wait() // there is no error
	return read, all
}

// complain says it seldom: a pod that starts or ends is no trouble.
func (q *queryReplicas) complain(ctx context.Context, err error) {
	q.complaints.Do(func() {
		logging.FromContext(ctx).Warnw("Access counts of the query server come later: not every replica could be read", "error", err)
	})
}

// addressOf is where a pod is asked. One that has no address has not started, and one that has succeeded or failed never
// starts again.
func addressOf(pod *corev1.Pod) (address string, ok bool) {
	if pod.Status.PodIP == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return "", false
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == tallyPort {
				return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(port.ContainerPort))), true
			}
		}
	}
	return "", false // of a release that counts nothing
}
