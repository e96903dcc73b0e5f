package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	// promisedRequests is how many requests the verification of a signature by digest may take.
	promisedRequests = 4

	verifyTimeFigure     = "verify/signature/time"
	verifyRequestsFigure = "verify/signature/requests"
)

// verifySignatures measures the binary of catalog-verify, from its start to its end, against `cosign verify --key`: both are
// given an image by digest that cosign signed, in a registry that is a process of its own.
type verifySignatures struct {
	rounds   int
	progress *log.Logger

	*cosign
	registry *process
	image    name.Digest
}

func verifySignature(s settings) measurement {
	v := &verifySignatures{rounds: 21, progress: s.progress}
	if s.short {
		v.rounds = 5
	}
	return measurement{figures: []string{verifyTimeFigure, verifyRequestsFigure}, measure: v.measure}
}

func (v *verifySignatures) measure(ctx context.Context) ([]figure, error) {
	figures, err := v.onRegistry(ctx)
	if err != nil {
		return nil, fmt.Errorf("measuring catalog-verify: %w", err)
	}
	return figures, nil
}

func (v *verifySignatures) onRegistry(ctx context.Context) (_ []figure, err error) {
	if v.cosign, err = newCosign(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	if v.registry, err = start(ctx, "-images", "1"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.registry.stop()) }()
	if err := v.prepare(ctx); err != nil {
		return nil, err
	}
	return v.takeTurns(ctx)
}

// prepare builds the binary as its image has it, and has an image signed, which has a repository of its own.
func (v *verifySignatures) prepare(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(v.dir, "verify"), "./cmd/verify")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", build, err, out)
	}
	settings := fmt.Sprintf("%q: {plainHTTP: true, privateAddresses: true}\n", v.registry.address)
	if err := errors.Join(
		os.Mkdir(filepath.Join(v.dir, "registries"), 0o750),
		os.WriteFile(filepath.Join(v.dir, "registries", "hosts"), []byte(settings), 0o600),
	); err != nil {
		return err
	}
	var err error
	if v.image, err = pushRandom(ctx, v.registry.address+"/"+signedRepository+":"+onlyTag); err != nil {
		return err
	}
	return v.sign(ctx, v.image)
}

// takeTurns runs both again and again. The first turn warms up and does not count.
func (v *verifySignatures) takeTurns(ctx context.Context) ([]figure, error) {
	ours := []string{
		filepath.Join(v.dir, "verify"), "--image-url=" + v.image.Name(), "--public-key=cosign.pub",
		"--registries=registries", "--results=results",
	}
	theirs := []string{v.program, "verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-http-registry", v.image.Name()}
	var times, requests [2][]float64
	for range 1 + v.rounds {
		if err := v.newResults(); err != nil {
			return nil, err
		}
		for side, command := range [][]string{ours, theirs} {
			var took time.Duration
			asked, err := v.registry.counted(ctx, func() (err error) {
				took, err = v.run(ctx, command[0], command[1:]...)
				return err
			})
			if err != nil {
				return nil, err
			}
			times[side], requests[side] = append(times[side], took.Seconds()*1e3), append(requests[side], asked)
		}
	}
	asked := median(requests[1][1:])
	return []figure{
		newFigure(verifyTimeFigure, median(times[0][1:]), median(times[1][1:]), "ms", lower, 0.5),
		newFigure(verifyRequestsFigure, median(requests[0][1:]), asked, "requests", lower, significant(promisedRequests/asked)),
	}, nil
}

// newResults empties the folder of the results, as it is in a pod: a file that replaces another costs much more.
func (v *verifySignatures) newResults() error {
	dir := filepath.Join(v.dir, "results")
	return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o750))
}
