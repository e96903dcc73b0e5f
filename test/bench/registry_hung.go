package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"imagecatalog.dev/catalog/pkg/registry"
)

// Ten registries on another continent. At this pace three checkers are busy, and one registry that hangs may take eight of
// the sixteen: those who are left suffice.
const (
	hostCount    = 10
	hostDistance = 50 * time.Millisecond
	lookUpEvery  = 20 * time.Millisecond
	hostTags     = 64 // look-ups of a host that are not the same one
)

func registryHung(s settings) measurement {
	return measurement{figures: []string{"registry/hung/p99"}, measure: newRegistryBench(s).hung}
}

// hung is how long the look-ups of nine registries take while the tenth hangs, against the same while it answers.
func (l *registryBench) hung(ctx context.Context) ([]figure, error) {
	inner, err := newTagged(ctx)
	if err != nil {
		return nil, err
	}
	hosts := make([]string, hostCount)
	for n := range hosts {
		far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(hostDistance)
			inner.ServeHTTP(w, r)
		}))
		defer far.Close()
		hosts[n] = far.Listener.Addr().String()
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	defer silent.CloseClientConnections()

	with, without, err := l.inTurns(ctx,
		func(ctx context.Context) (float64, error) {
			return l.p99(ctx, hosts[1:], silent.Listener.Addr().String())
		},
		func(ctx context.Context) (float64, error) { return l.p99(ctx, hosts[1:], hosts[0]) })
	if err != nil {
		return nil, err
	}
	return []figure{newFigure("registry/hung/p99", with, without, "ms", lower, 1.1)}, nil
}

// newTagged is a registry with one image under many tags.
func newTagged(ctx context.Context) (http.Handler, error) {
	into := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	pusher, err := remote.NewPusher(remote.WithTransport(inProcess{into}))
	if err != nil {
		return nil, err
	}
	image, err := numberedImage(0)
	if err != nil {
		return nil, err
	}
	for tag := range hostTags {
		if err := push(ctx, pusher, imageRepository, strconv.Itoa(tag), image); err != nil {
			return nil, err
		}
	}
	return into, nil
}

// p99 is that of the look-ups of the hosts, in milliseconds from when they were due, while another host is asked as often.
func (l *registryBench) p99(ctx context.Context, hosts []string, other string) (float64, error) {
	settings, err := registry.ParseSettings(map[string]string{"hosts": "127.0.0.1: {plainHTTP: true, privateAddresses: true}"})
	if err != nil {
		return 0, err
	}
	c := &checking{
		client: registry.New(settings, registry.RefuseWhenBusy()), other: other,
		queue: make(chan errand, l.lookUps), answered: make(chan time.Duration, l.lookUps),
	}
	for _, host := range hosts { // a controller has asked them before
		if err := c.look(ctx, host, 0); err != nil {
			return 0, err
		}
	}
	latencies, err := c.latencies(ctx, append([]string{other}, hosts...), l.lookUps)
	if err != nil {
		return 0, err
	}
	return percentile(latencies, 99).Seconds() * 1000, nil
}

// errand is a look-up that is due.
type errand struct {
	host string
	tag  int
	due  time.Time
}

// checking is checkers who share a queue, as a controller's do: what is refused because its host is busy goes back into
// it, for the time that the refusal names.
type checking struct {
	client   *registry.Client
	other    string // whose look-ups are not counted
	queue    chan errand
	answered chan time.Duration
}

// latencies are those of the look-ups of all but the other host. They are due at a pace that no answer changes, of each
// host in turn.
func (c *checking) latencies(ctx context.Context, hosts []string, lookUps int) ([]time.Duration, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	for range checkers {
		group.Go(func() error { return c.work(ctx) })
	}
	group.Go(func() error {
		tick := time.NewTicker(lookUpEvery)
		defer tick.Stop()
		for n := range lookUps {
			c.queue <- errand{host: hosts[n%len(hosts)], tag: n / len(hosts) % hostTags, due: <-tick.C}
		}
		return nil
	})
	var all []time.Duration
	for range lookUps - (lookUps+len(hosts)-1)/len(hosts) {
		select {
		case latency := <-c.answered:
			all = append(all, latency)
		case <-ctx.Done():
			return nil, group.Wait()
		}
	}
	end() // whoever still waits for the other
	return all, group.Wait()
}

func (c *checking) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case errand := <-c.queue:
			if err := c.do(ctx, errand); err != nil {
				return err
			}
		}
	}
}

func (c *checking) do(ctx context.Context, errand errand) error {
	err := c.look(ctx, errand.host, errand.tag)
	if errand.host != c.other {
		c.answered <- time.Since(errand.due)
		return err
	}
	var failure *registry.Error
	if errors.As(err, &failure) && failure.Reason == registry.Busy {
		time.AfterFunc(failure.RetryAfter, func() {
			select {
			case c.queue <- errand:
			default: // there are more than there ever were: the run is over
			}
		})
	}
	return nil
}

func (c *checking) look(ctx context.Context, host string, tag int) error {
	ref, err := name.ParseReference(fmt.Sprintf("%s/%s:%d", host, imageRepository, tag))
	if err != nil {
		return err
	}
	_, err = c.client.Head(ctx, ref, nil)
	return err
}
