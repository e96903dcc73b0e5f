package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"time"

	"knative.dev/pkg/network"
)

// issued is a certificate with its key and the CA that signed it, as PEM.
type issued struct{ key, certificate, ca []byte }

// issue makes a certificate for a Service, signed by a CA of its own, of which no key is kept. The two have different
// names: by OpenSSL, and so by curl, a certificate that is named like its issuer is taken for one that signed itself
// and is refused. That is why knative's, whose two are named alike, do not do.
func issue(service, namespace string, now, notAfter time.Time) (issued, error) {
	host := service + "." + namespace + ".svc"
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issued{}, fmt.Errorf("making the key of a CA: %w", err)
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "CA of " + host},
		NotBefore:             now,
		NotAfter:              notAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	if ca.Raw, err = x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey); err != nil {
		return issued{}, fmt.Errorf("making a CA: %w", err)
	}
	if ca, err = x509.ParseCertificate(ca.Raw); err != nil {
		return issued{}, fmt.Errorf("reading the CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issued{}, fmt.Errorf("making a key: %w", err)
	}
	certificate, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject:               pkix.Name{CommonName: host},
		DNSNames:              []string{service, service + "." + namespace, host, network.GetServiceHostname(service, namespace)},
		NotBefore:             now,
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, key.Public(), caKey)
	if err != nil {
		return issued{}, fmt.Errorf("making a certificate: %w", err)
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return issued{}, fmt.Errorf("encoding a key: %w", err)
	}
	return issued{encode("PRIVATE KEY", encodedKey), encode("CERTIFICATE", certificate), encode("CERTIFICATE", ca.Raw)}, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
