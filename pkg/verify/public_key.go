package verify

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/signature"
)

// publicKeyEntry is what cosign calls the public key in the Secrets that it makes (cosign generate-key-pair k8s://...).
const publicKeyEntry = "cosign.pub"

// Secrets reads the Secrets of a cluster.
type Secrets interface {
	Get(ctx context.Context, namespace, name string) (*corev1.Secret, error)
}

// publicKeys are those that the param names; none if it is empty.
func (v *Verifier) publicKeys(ctx context.Context, written string) ([]*signature.Key, error) {
	text, where, err := v.publicKey(ctx, written)
	if text == nil || err != nil {
		return nil, err
	}
	keys, err := signature.ParseKeys(text)
	if err != nil {
		return nil, wrongKey(where+err.Error(), "give the public key, which cosign writes to "+publicKeyEntry)
	}
	return keys, nil
}

// publicKey gives the text of the keys, and the beginning of a sentence that says where it is from.
func (v *Verifier) publicKey(ctx context.Context, written string) (text []byte, where string, err error) {
	secret, inSecret := strings.CutPrefix(written, "k8s://")
	switch {
	case written == "" && v.KeyDir != "":
		return nil, "", wrongKey("it is empty, though the workspace public-key is bound", "name the file in the workspace, such as "+publicKeyEntry)
	case written == "":
		return nil, "", nil
	case strings.HasPrefix(written, "-----BEGIN "):
		return []byte(written), "", nil
	case inSecret:
		text, err = v.keyInSecret(ctx, secret)
		return text, "in the Secret " + secret + ": ", err
	default:
		text, err = v.keyInFile(written)
		return text, fmt.Sprintf("in the file %q: ", written), err
	}
}

func wrongKey(problem, advice string) error {
	return &param.Error{Param: "PUBLIC_KEY", Problem: problem, Advice: advice}
}

// keyInFile reads a file of the workspace, and none that is elsewhere.
func (v *Verifier) keyInFile(name string) ([]byte, error) {
	if v.KeyDir == "" {
		return nil, wrongKey(fmt.Sprintf("%.80q is neither PEM nor k8s://NAMESPACE/SECRET, and the workspace public-key is not bound", name),
			"write one of the two, or bind the workspace to what has the file")
	}
	if !filepath.IsLocal(name) {
		return nil, wrongKey(fmt.Sprintf("%.80q leads out of the workspace public-key", name), "write a path in it, such as "+publicKeyEntry)
	}
	file, err := os.OpenInRoot(v.KeyDir, name)
	if err != nil {
		return nil, wrongKey(err.Error(), "name a file of the workspace public-key")
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, signature.MaxKeyBytes+1))
	if err != nil {
		return nil, wrongKey(err.Error(), "name a file of the workspace public-key")
	}
	return text, nil
}

// keyInSecret reads a Secret with the rights of the run's service account.
func (v *Verifier) keyInSecret(ctx context.Context, written string) ([]byte, error) {
	namespace, name, _ := strings.Cut(written, "/")
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return nil, wrongKey(fmt.Sprintf("%.300q names no Secret", "k8s://"+written), "write k8s://NAMESPACE/SECRET")
	}
	secrets, err := v.Secrets()
	if err != nil {
		return nil, secretProblem(written, err)
	}
	secret, err := secrets.Get(ctx, namespace, name)
	if err != nil {
		return nil, secretProblem(written, err)
	}
	text, ok := secret.Data[publicKeyEntry]
	if !ok {
		return nil, wrongKey(fmt.Sprintf("the Secret %s has no %s", written, publicKeyEntry), "name a Secret that has one")
	}
	return text, nil
}

func secretProblem(secret string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return wrongKey("there is no Secret "+secret, "name one that has a "+publicKeyEntry)
	case apierrors.IsForbidden(err):
		return &finding{Undecided, ReasonKeyForbidden, fmt.Sprintf("the service account of this run may not read the Secret %s: let it get this Secret, or bind the workspace public-key to it", secret)}
	default:
		return &finding{Undecided, ReasonKeyUnavailable, fmt.Sprintf("the cluster gave no answer about the Secret %s (%v): check that the API server can be reached", secret, err)}
	}
}

// advise says what to do about a verdict on signatures.
func advise(reason signature.Reason, image string) string {
	sign := "sign it with the private key that belongs to PUBLIC_KEY: cosign sign --key cosign.key " + image
	if reason == signature.KeyMismatch {
		return sign + "; or correct PUBLIC_KEY"
	}
	return sign
}
