package main

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const (
	systemNamespace = "image-catalog"
	demoNamespace   = "image-catalog-demo"
)

// The namespace of the demonstration, and the service account that its pipeline runs under.
//
//go:embed demo.yaml
var demoManifests []byte

// The settings for the embedded cluster's registry.
//
//go:embed registries.yaml
var registriesManifest []byte

// An entry that no catalog may accept.
//
//go:embed refused.yaml
var refusedManifest []byte

func installCatalog(ctx context.Context, s site) error {
	if err := applyBuilt(ctx, "config"); err != nil {
		return err
	}
	if err := s.configureRegistries(ctx, systemNamespace); err != nil {
		return err
	}
	for _, deployment := range []string{"webhook", "controller", "query"} {
		err := stream(ctx, nil, "kubectl", "--namespace", systemNamespace, "rollout", "status", "deployment/"+deployment, "--timeout=180s")
		if err != nil {
			return fmt.Errorf("%w; see: kubectl --namespace %s describe pods", err, systemNamespace)
		}
	}
	return waitUntilRefusing(ctx)
}

// waitUntilRefusing waits for the webhook to enforce: a webhook that is ready has still to write its rules into the
// API server, and until then everything is admitted.
func waitUntilRefusing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := apply(ctx, refusedManifest, "--dry-run=server")
		if err != nil && strings.Contains(err.Error(), "denied the request: validation failed") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the webhook to refuse a bad entry: %w (last answer: %w)", ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// configureRegistries lets the embedded registry be asked from a namespace: by the catalog, or by the Tasks. On a cluster
// of the reader's own the settings are the reader's to make. The field manager is another than that of the installation,
// which would otherwise take the settings away each time it is applied.
func (s site) configureRegistries(ctx context.Context, namespace string) error {
	if s.current {
		return nil
	}
	return apply(ctx, registriesManifest, "--namespace", namespace, "--field-manager", "make-run")
}

func installTasks(ctx context.Context, s site) error {
	if err := apply(ctx, demoManifests); err != nil {
		return err
	}
	if err := s.configureRegistries(ctx, demoNamespace); err != nil {
		return err
	}
	tasks, err := filepath.Glob("tasks/*/*/*.yaml")
	if err != nil {
		return err
	}
	if err := applyBuilt(ctx, strings.Join(tasks, ","), "--namespace", demoNamespace); err != nil {
		return err
	}
	pipelines, err := filepath.Glob("pipelines/*/*.yaml")
	if err != nil {
		return err
	}
	return applyBuilt(ctx, strings.Join(pipelines, ","), "--namespace", demoNamespace)
}

// applyBuilt builds the images that manifests name as ko://, pushes them, and applies the manifests with their digests.
func applyBuilt(ctx context.Context, manifests string, flags ...string) error {
	resolved, err := output(ctx, "env", "KO_CONFIG_PATH=ko.yaml", "ko", "resolve", "--base-import-paths", "--filename", manifests)
	if err != nil {
		return err
	}
	return apply(ctx, resolved, flags...)
}
