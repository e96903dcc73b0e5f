package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/test/plane"
)

const (
	// pollPause is between two looks at the controller's metrics, which cost it some milliseconds each.
	pollPause = 250 * time.Millisecond
	// quiet is how long a controller does nothing when it has nothing to do.
	quiet = 2 * time.Second
)

// reading is what was counted until a time.
type reading struct {
	at       time.Time
	requests float64 // that the registry had
	checks   float64 // that the running controller made
	calls    map[string]float64
	cpu      cpuTime
}

// stretch is what happened between two readings.
type stretch struct {
	took             time.Duration
	requests, checks float64
	calls            map[string]float64 // of the API server, by verb and resource
	cpu              cpuTime
}

func (r reading) since(before reading) stretch {
	s := stretch{
		took: r.at.Sub(before.at), requests: r.requests - before.requests, checks: r.checks - before.checks,
		calls: map[string]float64{}, cpu: r.cpu.since(before.cpu, 1),
	}
	for call, count := range r.calls {
		if more := count - before.calls[call]; more > 0 {
			s.calls[call] = more
		}
	}
	return s
}

// statusWrites are those that the API server was asked for, granted or not.
func (s *stretch) statusWrites() float64 { return s.calls["PUT catalogimages/status"] }

func (c *controllerBench) read(ctx context.Context) (reading, error) {
	r := reading{at: time.Now()}
	var err error
	if r.requests, err = c.registry.count(ctx); err != nil {
		return r, err
	}
	body, err := c.Kube.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return r, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	r.calls = callsOf(parseSeries(string(body)))
	parts, err := c.parts()
	if err != nil {
		return r, err
	}
	if r.cpu, err = readCPU(parts); err != nil || !c.Controller.Running() {
		return r, err
	}
	metrics, err := scrape(ctx, c.Controller)
	r.checks = metrics.sum("imagecatalog_check_duration_seconds_count")
	return r, err
}

// callsOf sums up by verb and resource what the API server was asked.
func callsOf(s series) map[string]float64 {
	calls := map[string]float64{}
	for _, one := range s {
		if one.name != "apiserver_request_total" {
			continue
		}
		call := one.label("verb") + " " + one.label("resource")
		if sub := one.label("subresource"); sub != "" {
			call += "/" + sub
		}
		calls[call] += one.value
	}
	return calls
}

// parts are the processes whose CPU time counts: not the registry, which every way to check asks alike.
func (c *controllerBench) parts() ([]part, error) {
	client, err := numbered(os.Getpid())
	if err != nil {
		return nil, err
	}
	controller := part{name: "controller"}
	if c.Controller.Running() {
		if controller.processes, err = numbered(c.Controller.ID()); err != nil {
			return nil, err
		}
	}
	return append([]part{{"client", client}}, append(c.controlPlane, controller)...), nil
}

func (c *controllerBench) partNames() []part {
	return append([]part{{name: "client"}}, append(c.controlPlane, part{name: "controller"})...)
}

// awaitIdle waits until the controller leads and has had nothing to do for a while, and gives when that began.
func (c *controllerBench) awaitIdle(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceForChecks)
	defer cancel()
	var since time.Time
	last := -1.0
	var failed error
	err := c.pollMetrics(ctx, func(s series) bool {
		leads, err := c.leads(ctx)
		if err != nil {
			failed = err
			return true
		}
		done := s.sum("kn_workqueue_process_duration_seconds_count")
		if !leads || done != last || s.sum("kn_workqueue_depth") > 0 {
			since, last = time.Now(), done
		}
		return time.Since(since) > quiet
	})
	return since, errors.Join(err, failed)
}

// leads says whether a controller holds the lease of its election.
func (c *controllerBench) leads(ctx context.Context) (bool, error) {
	leases, err := c.Kube.CoordinationV1().Leases(plane.SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "!" + claim.StateLabel})
	if err != nil {
		return false, err
	}
	for _, lease := range leases.Items {
		if strings.HasPrefix(lease.Name, "controller.") && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
			return true, nil
		}
	}
	return false, nil
}

// pollMetrics looks at the controller's metrics until they are as wanted.
func (c *controllerBench) pollMetrics(ctx context.Context, wanted func(series) bool) error {
	for {
		metrics, err := scrape(ctx, c.Controller) // an error means that it has not come up yet
		if err == nil && wanted(metrics) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for the controller: %w", ctx.Err()), err)
		case <-time.After(pollPause):
		}
	}
}

// heap is what the controller keeps, in bytes: after a garbage collection.
func (c *controllerBench) heap(ctx context.Context) (float64, error) {
	profile, err := fetchProfile(ctx, c.Controller, "heap?debug=1&gc=1")
	if err != nil {
		return 0, err
	}
	return heapIn(string(profile.body))
}

var heapAlloc = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

func heapIn(profile string) (float64, error) {
	found := heapAlloc.FindStringSubmatch(profile)
	if found == nil {
		return 0, errors.New("the profile does not say how large the heap is")
	}
	return strconv.ParseFloat(found[1], 64)
}

// peakMemory is the most that the controller has had in memory, in bytes.
func (c *controllerBench) peakMemory() (float64, error) {
	processes, err := numbered(c.Controller.ID())
	if err != nil {
		return 0, err
	}
	status, err := processes[0].NewStatus()
	return float64(status.VmHWM), err
}
