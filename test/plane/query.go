package plane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// queryHost is what clients in the cluster call the query server.
	queryHost   = "query." + SystemNamespace + ".svc"
	querySecret = "query-certs"
	queryCA     = "query-ca"
)

func (p *Plane) prepareQuery() (err error) {
	p.QueryCertificates = filepath.Join(p.dir, "query-certificates")
	if p.Query, p.QueryAddress, err = p.newQuery("query-0", ListsFirst); err != nil {
		return err
	}
	if p.QueryPeer, p.QueryPeerAddress, err = p.newQuery("query-1"); err != nil {
		return err
	}
	if p.QueryOpen, p.QueryOpenAddress, err = p.newQuery("query-open"); err != nil {
		return err
	}
	p.QueryOpen.args = append(p.QueryOpen.args, "--anonymous-read")
	return nil
}

// newQuery prepares a replica, and gives its address.
func (p *Plane) newQuery(name string, env ...string) (*Process, string, error) {
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	tally, err := freePort()
	if err != nil {
		return nil, "", err
	}
	query, err := p.newProcess("query", name, env...)
	if err != nil {
		return nil, "", err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	query.args = append(query.args, "--address="+address, "--certificate="+p.QueryCertificates,
		fmt.Sprintf("--tally-address=127.0.0.1:%d", tally)) // the last one counts
	query.mount = func(ctx context.Context) error {
		return errors.Join(p.mountQueryCertificate(ctx), p.show(ctx, query, map[string]int{"tally": tally})) // the controller looks for the pod
	}
	query.ready = func(ctx context.Context) error { return probe(ctx, "https://"+address+"/readyz") }
	return query, address, nil
}

// mountQueryCertificate waits for what the volume of the Deployment needs, as the kubelet does.
func (p *Plane) mountQueryCertificate(ctx context.Context) error {
	if err := os.MkdirAll(p.QueryCertificates, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	last := errors.New("it is empty")
	err := every(ctx, 50*time.Millisecond, func() bool {
		secret, err := p.Kube.CoreV1().Secrets(SystemNamespace).Get(ctx, querySecret, metav1.GetOptions{})
		if err != nil {
			last = err
			return false
		}
		for _, item := range p.Query.certificate {
			content, ok := secret.Data[item.Key]
			if !ok {
				return false
			}
			if last = os.WriteFile(filepath.Join(p.QueryCertificates, item.Path), content, 0o600); last != nil {
				return false
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("waiting for the certificate in secret %s: %w: %w", querySecret, err, last)
	}
	return nil
}

// QueryClient is a client that expects at any address who is query.image-catalog.svc for the CA that is published.
func (p *Plane) QueryClient(ctx context.Context) (*http.Client, error) {
	roots := x509.NewCertPool()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	last := errors.New("it holds no CA")
	err := every(ctx, 50*time.Millisecond, func() bool {
		published, err := p.Kube.CoreV1().ConfigMaps(SystemNamespace).Get(ctx, queryCA, metav1.GetOptions{})
		if err != nil {
			last = err
			return false
		}
		return roots.AppendCertsFromPEM([]byte(published.Data["ca.crt"]))
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for the CA in config map %s: %w: %w", queryCA, err, last)
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: queryHost},
	}}, nil
}
