package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"

	"imagecatalog.dev/catalog/pkg/registry"
)

// site is where the product is installed.
type site struct {
	// repository is the registry, with a path, that images are pushed to (KO_DOCKER_REPO).
	repository string
	// cache holds what is built once.
	cache string
	// current says that the cluster is the reader's own, not the embedded one.
	current bool
}

// inspect looks at everything that is needed before anything is changed, and names all that is missing in one line.
func inspect(ctx context.Context) (site, error) {
	var lacks []string
	for _, tool := range []string{"kubectl", "tkn", "ko", cosignProgram()} {
		if _, err := exec.LookPath(tool); err != nil {
			lacks = append(lacks, tool+" on the PATH")
		}
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil && !canInstallPackages() {
		lacks = append(lacks, "mmdebstrap (the Debian package of that name, or root to install it)")
	}
	repository := os.Getenv("KO_DOCKER_REPO")
	if repository == "" {
		lacks = append(lacks, "KO_DOCKER_REPO, a repository that you can push to and the cluster can pull from")
	}
	if len(lacks) == 0 {
		lacks = append(inspectCluster(ctx), inspectRepository(repository)...)
	}
	current := os.Getenv("CLUSTER") == "current"
	if len(lacks) == 0 && current {
		lacks = inspectSettings(ctx, repository)
	}
	if len(lacks) > 0 {
		return site{}, errors.New("missing: " + strings.Join(lacks, "; "))
	}
	cache, err := cacheDir()
	return site{repository: strings.TrimSuffix(repository, "/"), cache: cache, current: current}, err
}

func inspectCluster(ctx context.Context) (lacks []string) {
	if _, err := output(ctx, "kubectl", "--request-timeout=10s", "get", "--raw", "/readyz"); err != nil {
		return []string{fmt.Sprintf("a cluster that answers (kubectl says: %v)", err)}
	}
	if _, err := output(ctx, "kubectl", "get", "crd", "pipelineruns.tekton.dev"); err != nil {
		lacks = append(lacks, "Tekton Pipelines in the cluster (https://tekton.dev/docs/installation/pipelines/)")
	}
	if _, err := output(ctx, "kubectl", "auth", "can-i", "*", "*", "--all-namespaces"); err != nil {
		lacks = append(lacks, "the rights of a cluster administrator (kubectl auth can-i '*' '*' --all-namespaces)")
	}
	return lacks
}

func inspectRepository(repository string) (lacks []string) {
	ref, err := name.ParseReference(repository + "/controller")
	if err != nil {
		return []string{fmt.Sprintf("a KO_DOCKER_REPO that is a repository (%v)", err)}
	}
	if err := remote.CheckPushPermission(ref, authn.DefaultKeychain, http.DefaultTransport); err != nil {
		return []string{fmt.Sprintf("the right to push to KO_DOCKER_REPO (%v)", err)}
	}
	return nil
}

// inspectSettings asks about the repository as the catalog will, by the settings that it has or would have.
func inspectSettings(ctx context.Context, repository string) (lacks []string) {
	out, err := output(ctx, "kubectl", "get", "configmaps", registry.ConfigMapName, "--namespace", systemNamespace, "--ignore-not-found", "--output", "json")
	if err != nil {
		return []string{err.Error()}
	}
	var config corev1.ConfigMap
	if len(out) > 0 {
		err = json.Unmarshal(out, &config)
	}
	settings, unreadable := registry.ParseSettings(config.Data)
	if err := errors.Join(err, unreadable); err != nil {
		return []string{fmt.Sprintf("settings in %s that can be read (%v)", registry.ConfigMapName, err)}
	}
	ref, err := name.ParseReference(repository + "/controller")
	if err != nil {
		return []string{err.Error()}
	}
	if _, err := registry.New(settings).Head(ctx, ref, authn.DefaultKeychain); registry.ReasonOf(err) == registry.Blocked {
		return []string{fmt.Sprintf("a KO_DOCKER_REPO that the catalog may ask (%v)", err)}
	}
	return nil
}

func canInstallPackages() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && os.Geteuid() == 0
}

// cacheDir is the directory that test/cluster uses too; it outlives the repository.
func cacheDir() (string, error) {
	if dir := os.Getenv("IMAGE_CATALOG_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a directory for what is built once: %w; set IMAGE_CATALOG_CACHE", err)
	}
	return filepath.Join(dir, "image-catalog"), nil
}
