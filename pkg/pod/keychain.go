package pod

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/registry"
)

// source is how messages call the credentials.
const source = "the config.json of this pod"

// Keychain opens registries with the config.json in the folder $DOCKER_CONFIG, a workspace of the Task, or else in
// ~/.docker, where Tekton puts the credentials of the run's service account. Its auths fit as those of pull secrets do
// (registry.Keyring). What it leaves to a credential helper is left to authn.DefaultKeychain, and so is all where there
// is no config.json.
func Keychain() authn.Keychain { return keychain{} }

type keychain struct{}

// Resolve implements authn.Keychain. The file is read each time: the credentials in it may be renewed.
func (keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	content, err := readConfig()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return authn.DefaultKeychain.Resolve(target)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	var keys registry.Keyring
	if err := keys.AddConfigJSON(source, content); err != nil {
		return nil, err
	}
	auth, err := keys.Resolve(target)
	if err != nil {
		return nil, err
	}
	if empty, err := isEmpty(auth); err != nil || !empty {
		return auth, err
	}
	if leavesToHelper(content, target) {
		return authn.DefaultKeychain.Resolve(target)
	}
	return authn.Anonymous, nil
}

func readConfig() ([]byte, error) {
	home, _ := os.UserHomeDir() // without one there is nothing to find in it
	dir := cmp.Or(os.Getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker"))
	return os.ReadFile(filepath.Join(dir, "config.json")) //nolint:gosec // the environment is the pod's, made by who starts the run
}

// isEmpty recognises a host without credentials, such as Docker writes for each whose credentials a helper keeps.
func isEmpty(auth authn.Authenticator) (bool, error) {
	config, err := auth.Authorization()
	return err == nil && *config == authn.AuthConfig{}, err
}

// leavesToHelper says whether authn.DefaultKeychain will run a helper. Otherwise it would only read auths again, and by
// host alone: it takes those of quay.io/acme for all of quay.io.
func leavesToHelper(content []byte, target authn.Resource) bool {
	var config struct {
		CredsStore  string            `json:"credsStore"`
		CredHelpers map[string]string `json:"credHelpers"`
	}
	if json.Unmarshal(content, &config) != nil {
		return false // of another form than Docker's
	}
	host := target.RegistryStr()
	if host == name.DefaultRegistry {
		host = authn.DefaultAuthKey
	}
	return config.CredsStore != "" || config.CredHelpers[host] != "" || config.CredHelpers[target.String()] != ""
}
