// Package keypair serves the certificate that is in a directory, and the next one as soon as it is there.
package keypair

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// pause is how long files are taken to be as they were.
const pause = time.Second

// forms are the names of certificate and key, as those who make Secrets name them; the first that is there counts.
var forms = []struct{ certificate, key string }{
	{"tls.crt", "tls.key"},                // Kubernetes, cert-manager, OpenShift
	{"server-cert.pem", "server-key.pem"}, // knative, and so our own
}

// Directory holds a certificate and its key, under the names of Kubernetes or those of knative. What is there may change
// at any time, as the kubelet changes it when the Secret does.
type Directory struct {
	path   string
	logger *zap.SugaredLogger

	reading sync.Mutex // guards what follows but current, which it lets change
	read    time.Time
	files   [2][]byte
	trouble string
	current atomic.Pointer[tls.Certificate]
}

// Open reads a directory, which must hold a certificate.
func Open(path string, logger *zap.SugaredLogger) (*Directory, error) {
	d := &Directory{path: path, logger: logger}
	if err := d.load(); err != nil {
		return nil, err
	}
	d.read = time.Now()
	return d, nil
}

// Certificate gives the one to serve a connection with; tls.Config calls it. Of a new one that is bad it is logged why,
// and the last good one is served on. Nobody waits for another's reading.
func (d *Directory) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if d.reading.TryLock() {
		if time.Since(d.read) > pause {
			d.reload()
			d.read = time.Now()
		}
		d.reading.Unlock()
	}
	return d.current.Load(), nil
}

func (d *Directory) reload() {
	err := d.load()
	if err == nil {
		d.trouble = ""
		return
	}
	if d.trouble != err.Error() {
		d.trouble = err.Error()
		d.logger.Errorw("The new certificate is not to be used, and the last one goes on", zap.Error(err))
	}
}

// load takes what is in the directory, if it is new.
func (d *Directory) load() error {
	files, err := d.readFiles()
	if err != nil {
		return err
	}
	if d.current.Load() != nil && bytes.Equal(files[0], d.files[0]) && bytes.Equal(files[1], d.files[1]) {
		return nil
	}
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return fmt.Errorf("reading the certificate in %s: %w", d.path, err)
	}
	if d.current.Swap(&pair) != nil {
		d.logger.Infow("Serving with a new certificate", "until", pair.Leaf.NotAfter)
	}
	d.files = files
	return nil
}

func (d *Directory) readFiles() (files [2][]byte, err error) {
	for _, form := range forms {
		files[0], err = os.ReadFile(filepath.Join(d.path, form.certificate))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			files[1], err = os.ReadFile(filepath.Join(d.path, form.key))
		}
		if err != nil {
			return files, fmt.Errorf("reading the certificate: %w", err)
		}
		return files, nil
	}
	return files, fmt.Errorf("no certificate is in %s: put %s and %s there, or %s and %s", d.path,
		forms[0].certificate, forms[0].key, forms[1].certificate, forms[1].key)
}
