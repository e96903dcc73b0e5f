package main

import (
	"context"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/test/plane"
)

// switchProfilesOn has the processes of the catalog serve profiles.
func switchProfilesOn(ctx context.Context, p *plane.Plane) error {
	_, err := p.Kube.CoreV1().ConfigMaps(plane.SystemNamespace).Patch(ctx, "config-observability", types.MergePatchType,
		[]byte(`{"data": {"runtime-profiling": "enabled"}}`), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("switching profiles on: %w", err)
	}
	return nil
}

// takeProfile keeps a CPU profile of a process over so many seconds.
func takeProfile(ctx context.Context, of *plane.Process, seconds int, path string) error {
	time.Sleep(2 * time.Second) // until it has started, and heard that profiles are on; if it has not, the next line says so
	profile, err := fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", of.Profiles, seconds))
	if err != nil {
		return fmt.Errorf("taking a profile of %s: %w", of.Name, err)
	}
	return os.WriteFile(path, profile.body, 0o644)
}
