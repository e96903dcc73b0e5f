package kube

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"text/template"

	"imagecatalog.dev/catalog/test/cluster/internal/pki"
	"imagecatalog.dev/catalog/test/cluster/internal/state"
)

//go:embed kubeconfig.yaml
var kubeconfig string

// WriteKubeconfig writes a file that speaks to server (a URL) as the client
// with the named certificate. It holds the key, so only its owner may read it.
func WriteKubeconfig(path, server string, keys pki.Dir, client string) error {
	values := map[string]string{"Server": server}
	for name, file := range map[string]string{"CA": keys.CA(), "Cert": keys.Cert(client), "Key": keys.Key(client)} {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the keys of %s: %w", client, err)
		}
		values[name] = base64.StdEncoding.EncodeToString(content)
	}
	content, err := Render("kubeconfig", kubeconfig, values)
	if err != nil {
		return err
	}
	return state.Write(path, content, 0o600)
}

// Render fills a configuration file; a value that the file asks for and that
// is not given is an error.
func Render(name, text string, values any) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parse template %s: %w", name, err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, values); err != nil {
		return nil, fmt.Errorf("fill template %s: %w", name, err)
	}
	return []byte(out.String()), nil
}
