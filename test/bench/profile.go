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
	profile, err := fetchProfile(ctx, of, fmt.Sprintf("profile?seconds=%d", seconds))
	if err != nil {
		return err
	}
	return os.WriteFile(path, profile.body, 0o644)
}

// fetchProfile gives a process some time to have started, and to have heard that profiles are on.
func fetchProfile(ctx context.Context, of *plane.Process, kind string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		profile, err := fetch(ctx, "http://"+of.Profiles+"/debug/pprof/"+kind)
		if err == nil {
			return profile, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("taking a profile of %s: %w", of.Name, err)
		case <-time.After(pollPause):
		}
	}
}
