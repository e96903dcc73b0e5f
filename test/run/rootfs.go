package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"imagecatalog.dev/catalog/pkg/assemble"
)

const debianRelease = "bookworm"

// What makes a small Debian: enough to be recognised as one, and a shell.
const debianPackages = "base-files,busybox-static,netbase,tzdata"

var architectures = []string{"amd64", "arm64"}

// rootFS returns the gzipped root file system of an architecture, made from Debian's packages by mmdebstrap the first
// time. Nothing in it is run, so any machine can make it for any architecture.
func rootFS(ctx context.Context, cache, architecture string) (string, error) {
	path := filepath.Join(cache, "rootfs", debianRelease+"-"+architecture+".tar.gz")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", err
	}
	unfinished := filepath.Join(filepath.Dir(path), "unfinished-"+filepath.Base(path))
	if err := stream(ctx, nil, "mmdebstrap", "--quiet", "--variant=extract", "--architectures="+architecture,
		"--include="+debianPackages, debianRelease, unfinished); err != nil {
		return "", err
	}
	return path, os.Rename(unfinished, path)
}

// needMmdebstrap installs mmdebstrap where it is missing and that is possible; inspect has seen to the rest.
func needMmdebstrap(ctx context.Context) error {
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	fmt.Println("   installing mmdebstrap with apt-get")
	for _, args := range [][]string{
		{"update", "-qq"},
		{"install", "-qq", "--yes", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"},
	} {
		if _, err := output(ctx, "apt-get", args...); err != nil {
			return err
		}
	}
	return nil
}

// pushRootFS makes the root file systems an OCI artifact: the pods of the build have no way out of the cluster.
func pushRootFS(ctx context.Context, s site) error {
	if err := needMmdebstrap(ctx); err != nil {
		return err
	}
	var files []assemble.RootFS
	for _, architecture := range architectures {
		path, err := rootFS(ctx, s.cache, architecture)
		if err != nil {
			return fmt.Errorf("making the root file system for %s: %w", architecture, err)
		}
		files = append(files, assemble.RootFS{Platform: v1.Platform{OS: "linux", Architecture: architecture}, Path: path})
	}
	ref, err := name.NewTag(s.rootFSReference())
	if err != nil {
		return err
	}
	pushed, err := assemble.PushRootFS(ctx, ref, files, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return err
	}
	fmt.Println("   pushed", pushed)
	return nil
}
