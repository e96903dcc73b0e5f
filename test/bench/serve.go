package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/zap"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/keypair"
	"imagecatalog.dev/catalog/pkg/query"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// serve is the life of a server process: it listens on loopback, says where when it is ready, and ends when in does, so
// that it does not outlive the bench, however that ends.
//
//	serve -entries 1000    the query server with that many synthetic entries
//	serve -copy URL        a static handler with the answer that URL gives
//	serve -answer FILE     the same with the answer in a file; by HTTPS with -certificate DIR
//	serve -images 1000     a registry with that many images
//	serve -admit DIR       webhooks that do nothing, with the certificate and the key of that directory
func serve(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	entries := flags.Int("entries", 0, "serve the catalog with this many synthetic entries")
	source := flags.String("copy", "", "serve what is at this `URL`, to whoever asks for whatever")
	kept := flags.String("answer", "", "serve the answer in this `file`, to whoever asks for whatever")
	certificate := flags.String("certificate", "", "serve by HTTPS with tls.crt and tls.key of this `directory`")
	admit := flags.String("admit", "", "admit everything, by HTTPS with tls.crt and tls.key of this `directory`")
	images := flags.Int("images", 0, "serve a registry with this many images")
	profile := flags.String("profile", "", "write a CPU profile of the time after it is ready to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	begin := func(ctx context.Context) (server, error) { return newCatalog(ctx, *entries) }
	switch {
	case *source != "":
		begin = func(ctx context.Context) (server, error) { return newStatic(ctx, *source) }
	case *kept != "":
		begin = func(context.Context) (server, error) { return newKept(*kept, *certificate) }
	case *images != 0:
		begin = func(ctx context.Context) (server, error) { return newImages(ctx, *images) }
	case *admit != "":
		begin = func(context.Context) (server, error) { return newAdmitting(*admit), nil }
	}
	s, err := begin(ctx)
	if err != nil {
		return err
	}
	stopProfile, err := startProfile(*profile)
	if err != nil {
		return err
	}
	return errors.Join(serveUntil(ctx, s, in, out), stopProfile())
}

// server answers requests that come to the listener until the context ends.
type server interface {
	Serve(context.Context, net.Listener) error
}

func serveUntil(ctx context.Context, s server, in io.Reader, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening on loopback: %w", err)
	}
	ended := make(chan error, 2)
	go func() { ended <- s.Serve(ctx, listener) }()
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	return <-ended
}

// newCatalog is the query server as cmd/query runs it, but without TLS, which a static handler would pay for alike. Its entries reach it from a list instead of an API server, and its
// meter counts as the one that Prometheus reads.
func newCatalog(ctx context.Context, entries int) (server, error) {
	catalog := index.New()
	go catalog.Run(ctx, newSource(entries))
	if !cache.WaitForCacheSync(ctx.Done(), catalog.Synced) {
		return nil, fmt.Errorf("filling the index: %w", ctx.Err())
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	return query.NewServer(catalog, newReviewer(), nil, meters.Meter("bench"))
}

// static is what the query server is measured against: net/http doing nothing but sending bytes it has.
type static struct{ http http.Server }

func newStatic(ctx context.Context, source string) (server, error) {
	a, err := fetch(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("copying an answer: %w", err)
	}
	return &static{http: http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}}, nil
}

// newKept sends the answer in a file. With a certificate it speaks what the query server speaks.
func newKept(file, certificate string) (server, error) {
	a, err := readAnswer(file)
	if err != nil {
		return nil, err
	}
	s := &static{http: http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}}
	if certificate != "" {
		pair, err := keypair.Open(certificate, zap.NewNop().Sugar())
		if err != nil {
			return nil, err
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: pair.Certificate}
	}
	return s, nil
}

// Serve implements server.
func (s *static) Serve(_ context.Context, listener net.Listener) error {
	if s.http.TLSConfig != nil {
		listener = tls.NewListener(listener, s.http.TLSConfig)
	}
	return s.http.Serve(listener)
}

// startProfile returns what ends the profile, which is none without a path.
func startProfile(path string) (func() error, error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("making a profile: %w", err), file.Close())
	}
	return func() error { pprof.StopCPUProfile(); return file.Close() }, nil
}
