// Package pki makes the certificates of a cluster: one authority that signs
// for servers and clients alike, and the key pair that signs the tokens of
// service accounts.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime is longer than any test cluster lives.
const lifetime = 10 * 365 * 24 * time.Hour

// Leaf describes a certificate to be signed by the authority.
type Leaf struct {
	Name          string // of its files, Name.crt and Name.key
	CommonName    string
	Organizations []string
	IPs           []string // with IPs or DNSNames it is a server's, else a client's
	DNSNames      []string
}

// Dir is a folder of keys and certificates in PEM.
type Dir string

// CA is the authority's certificate.
func (d Dir) CA() string { return filepath.Join(string(d), "ca.crt") }

// Cert is the named certificate.
func (d Dir) Cert(name string) string { return filepath.Join(string(d), name+".crt") }

// Key is the private key that belongs to it.
func (d Dir) Key(name string) string { return filepath.Join(string(d), name+".key") }

// Ensure fills the folder unless it is there: it appears whole or not at all.
func (d Dir) Ensure(leaves []Leaf) error {
	if _, err := os.Stat(string(d)); err == nil {
		return nil
	}
	draft := Dir(string(d) + ".draft")
	if err := os.RemoveAll(string(draft)); err != nil {
		return err
	}
	if err := os.MkdirAll(string(draft), 0o700); err != nil {
		return fmt.Errorf("create the folder for keys: %w", err)
	}
	authority, err := draft.newAuthority()
	if err != nil {
		return err
	}
	for _, leaf := range leaves {
		if err := draft.issue(authority, leaf); err != nil {
			return fmt.Errorf("issue certificate %s: %w", leaf.Name, err)
		}
	}
	if err := draft.newTokenKey(); err != nil {
		return fmt.Errorf("make the key for tokens: %w", err)
	}
	return os.Rename(string(draft), string(d))
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority keeps the authority's private key to itself: with it gone,
// nobody can sign for the cluster later.
func (d Dir) newAuthority() (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, fmt.Errorf("make the authority's key: %w", err)
	}
	template := newTemplate("image-catalog test cluster", nil)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return authority{}, err
	}
	return authority{certificate, key}, writePEM(d.CA(), "CERTIFICATE", der, 0o644)
}

func (d Dir) issue(by authority, leaf Leaf) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := newTemplate(leaf.CommonName, leaf.Organizations)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(leaf.IPs)+len(leaf.DNSNames) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	template.DNSNames = leaf.DNSNames
	for _, ip := range leaf.IPs {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return err
	}
	if err := writePEM(d.Cert(leaf.Name), "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return writeKey(d.Key(leaf.Name), key)
}

// newTokenKey makes RSA keys: the API server signs tokens with RS256 by default.
func (d Dir) newTokenKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(d.TokenPublicKey(), "PUBLIC KEY", public, 0o644); err != nil {
		return err
	}
	return writeKey(d.TokenKey(), key)
}

// TokenKey signs the tokens of service accounts.
func (d Dir) TokenKey() string { return d.Key("tokens") }

// TokenPublicKey verifies them.
func (d Dir) TokenPublicKey() string { return filepath.Join(string(d), "tokens.pub") }

// newTemplate dates the certificate back a little, for clocks that were set.
func newTemplate(commonName string, organizations []string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // crypto/rand never fails
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName, Organization: organizations},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
	}
}

func writeKey(path string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}
