package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

// loads are the numbers of connections that answers are measured with.
var loads = []int{1, 16, 64, 1000}

// apiPaths are what a client without the query server asks the API server for: the first 20 it has, in the order of their
// names, for it knows no other; it searches no texts.
var apiPaths = map[string]string{
	"all":      "/apis/imagecatalog.dev/v1alpha1/catalogimages?limit=20",
	"filtered": "/apis/imagecatalog.dev/v1alpha1/catalogimages?limit=20&labelSelector=arch.imagecatalog.dev%2Farm64%3D%2Cimagecatalog.dev%2Fdistro%3Dautosd",
	"get":      "/apis/imagecatalog.dev/v1alpha1/namespaces/team-1/catalogimages/autosd-qemu-1",
}

func rateOf(page string, connections int) string {
	return fmt.Sprintf("query/%s/connections=%d/rate", page, connections)
}

func p99Of(page string, connections int) string {
	return fmt.Sprintf("query/%s/connections=%d/p99", page, connections)
}

// answers measures each page against a static handler that sends the same bytes, by HTTPS as well, and then against the
// API server's own list.
func (q *queryBench) answers(ctx context.Context) (figures []figure, err error) {
	for _, page := range listed {
		q.progress.Printf("query: %s", page.name)
		err := q.withStatic(ctx, page.name, page.target, func(ours, static endpoint) error {
			for _, connections := range loads {
				a, b, err := q.compare(ctx, ours, static, connections)
				if err != nil {
					return err
				}
				rate := newFigure(rateOf(page.name, connections), median(rates(a)), median(rates(b)), "requests/s", higher, page.goal)
				if connections == 1 || connections == 1000 { // what is promised to a thousand is a latency
					rate.Goal = nil
				}
				p99 := newFigure(p99Of(page.name, connections), median(p99s(a)), median(p99s(b)), "ms", lower, 2)
				if connections == 1 { // nothing is promised to one who asks alone
					p99.Goal = nil
				}
				figures = append(figures, rate, p99)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		against, err := q.againstAPIServer(ctx, page.name, page.target)
		if err != nil {
			return nil, err
		}
		figures = append(figures, against...)
	}
	return figures, nil
}

// shares measures what the parts of the work take of the CPU time, under the load of each page.
func (q *queryBench) shares(ctx context.Context) (figures []figure, err error) {
	for _, page := range listed {
		profile, err := q.profileUnder(ctx, page.target)
		if err != nil {
			return nil, err
		}
		found, err := sharesIn(profile)
		if err != nil {
			return nil, err
		}
		figures = append(figures, found.figures("query/"+page.name)...)
	}
	return figures, nil
}

// profileUnder takes a CPU profile over one long round.
func (q *queryBench) profileUnder(ctx context.Context, target string) (_ []byte, err error) {
	under, err := newLoad(ctx, q.endpoint(target), 16)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, under.close()) }()
	var profile *answer
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		profile, err = fetchProfile(ctx, q.Query, fmt.Sprintf("profile?seconds=%d", profileSeconds))
		return err
	})
	group.Go(func() error {
		_, err := under.round(profileSeconds * time.Second)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return profile.body, nil
}

// busy measures the first page while many clients change entries as fast as they can.
func (q *queryBench) busy(ctx context.Context) (figures []figure, err error) {
	stop := q.write(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	err = q.withStatic(ctx, "busy", listed[0].target, func(ours, static endpoint) error {
		a, b, err := q.compare(ctx, ours, static, 16)
		if err != nil {
			return err
		}
		figures = []figure{
			newFigure("query/busy/rate", median(rates(a)), median(rates(b)), "requests/s", higher, 0.5),
			newFigure("query/busy/p99", median(p99s(a)), median(p99s(b)), "ms", lower, 2),
		}
		return nil
	})
	return figures, err
}

// withStatic runs a static handler with the answer to a target while something is done.
func (q *queryBench) withStatic(ctx context.Context, name, target string, do func(ours, static endpoint) error) (err error) {
	client, err := q.QueryClient(ctx)
	if err != nil {
		return err
	}
	original, err := fetchAs(ctx, client, "https://"+q.QueryAddress+target, q.token)
	if err != nil {
		return err
	}
	if err := original.keep(q.answerFile(name)); err != nil {
		return err
	}
	static, err := startAlike(ctx, "-answer", q.answerFile(name), "-certificate", q.QueryCertificates)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, static.stop()) }()
	ours := q.endpoint(target)
	theirs := ours
	theirs.address = static.address
	return do(ours, theirs)
}

// endpoint of the query server. Who is at the other end was checked when the answer was fetched.
func (q *queryBench) endpoint(target string) endpoint {
	return endpoint{address: q.QueryAddress, target: target, credentials: q.token, tls: &tls.Config{InsecureSkipVerify: true}}
}

func (q *queryBench) compare(ctx context.Context, a, b endpoint, connections int) (samplesA, samplesB []sample, err error) {
	onA, err := newLoad(ctx, a, connections)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, onA.close()) }()
	onB, err := newLoad(ctx, b, connections)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, onB.close()) }()
	return q.pace.takeTurns(ctx, onA, onB)
}

func (q *queryBench) againstAPIServer(ctx context.Context, page, target string) ([]figure, error) {
	path := apiPaths[page]
	if path == "" {
		return nil, nil
	}
	server, err := q.apiServer(path)
	if err != nil {
		return nil, err
	}
	a, b, err := q.compare(ctx, q.endpoint(target), server, 16)
	if err != nil {
		return nil, err
	}
	return []figure{newFigure("query/"+page+"/api-server", median(rates(a)), median(rates(b)), "requests/s", higher, 10)}, nil
}

// apiServer is asked by the same somebody.
func (q *queryBench) apiServer(path string) (endpoint, error) {
	url, _, err := rest.DefaultServerUrlFor(q.Config)
	if err != nil {
		return endpoint{}, fmt.Errorf("finding the API server: %w", err)
	}
	return endpoint{address: url.Host, target: path, credentials: q.token, tls: &tls.Config{InsecureSkipVerify: true}}, nil
}
