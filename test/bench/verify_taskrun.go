package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
)

const (
	verifyTaskRunFigure   = "verify/taskrun"
	verifyImageSizeFigure = "verify/image/size"
)

// verifyTaskRuns measures catalog-verify as it is installed: a TaskRun with PUBLIC_KEY, for an image that cosign signed,
// and the size of the Task's image against cosign's binary.
type verifyTaskRuns struct {
	*taskRuns
	*cosign
}

func verifyTaskRun(s settings) measurement {
	v := &verifyTaskRuns{taskRuns: newTaskRuns(s, "catalog-verify")}
	return measurement{figures: []string{verifyTaskRunFigure, verifyImageSizeFigure}, measure: v.measure}
}

func (v *verifyTaskRuns) measure(ctx context.Context) ([]figure, error) {
	figures, err := v.onCluster(ctx, v.ofSigned)
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", v.task, err)
	}
	return figures, nil
}

func (v *verifyTaskRuns) ofSigned(ctx context.Context, task *pipelinev1.Task) (_ []figure, err error) {
	if v.cosign, err = newCosign(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	size, err := v.size(ctx, task.Spec.Steps[0].Image)
	if err != nil {
		return nil, err
	}
	image, err := pushRandom(ctx, fmt.Sprintf("%s/%s:%s", v.registry, signedRepository, v.id))
	if err != nil {
		return nil, err
	}
	if err := v.sign(ctx, image); err != nil {
		return nil, err
	}
	key, err := os.ReadFile(v.publicKey())
	if err != nil {
		return nil, err
	}
	params := map[string]string{"IMAGE_URL": image.Name(), "PUBLIC_KEY": string(key)}
	empty, took, err := v.againstEmpty(ctx, kind{"verified", func(ctx context.Context, round int) (time.Duration, error) {
		return v.verify(ctx, round, params)
	}})
	if err != nil {
		return nil, err
	}
	return []figure{newFigure(verifyTaskRunFigure, took[0], empty, "s", lower, 1.3), size}, nil
}

// verify times a TaskRun, and sees to it that it found the signature.
func (v *verifyTaskRuns) verify(ctx context.Context, round int, params map[string]string) (time.Duration, error) {
	took, results, err := v.timeTask(ctx, "verified", round, params)
	if err == nil && results["SIGNATURES_VERIFIED"] != "true" {
		err = fmt.Errorf("a TaskRun ended with the SIGNATURES_VERIFIED %q", results["SIGNATURES_VERIFIED"])
	}
	return took, err
}

// size is that of an image, as a node has it on its disk.
func (v *verifyTaskRuns) size(ctx context.Context, reference string) (figure, error) {
	const mb = 1e6
	ref, err := name.ParseReference(reference)
	if err != nil {
		return figure{}, err
	}
	image, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return figure{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	bytes, err := filesOf(image)
	if err != nil {
		return figure{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	binary, err := os.Stat(v.program)
	if err != nil {
		return figure{}, err
	}
	return withoutGoal(verifyImageSizeFigure, float64(bytes)/mb, float64(binary.Size())/mb, "MB"), nil
}

// filesOf is how many bytes are in the files of an image.
func filesOf(image v1.Image) (bytes int64, err error) {
	content := mutate.Extract(image)
	defer func() { err = errors.Join(err, content.Close()) }()
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return bytes, nil
		}
		if err != nil {
			return 0, err
		}
		bytes += header.Size
	}
}
