package main

import (
	"context"
	"fmt"
	"time"

	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
)

const (
	createdFigure   = "publish/created"
	unchangedFigure = "publish/unchanged"
)

// publishTaskRuns measures catalog-publish. An image is published twice, first as a new entry, then as one that is there
// already.
type publishTaskRuns struct{ *taskRuns }

func publishTaskRun(s settings) measurement {
	p := &publishTaskRuns{newTaskRuns(s, "catalog-publish")}
	return measurement{figures: []string{createdFigure, unchangedFigure}, measure: p.measure}
}

func (p *publishTaskRuns) measure(ctx context.Context) ([]figure, error) {
	figures, err := p.onCluster(ctx, p.twice)
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", p.task, err)
	}
	return figures, nil
}

func (p *publishTaskRuns) twice(ctx context.Context, _ *pipelinev1.Task) ([]figure, error) {
	empty, took, err := p.againstEmpty(ctx,
		kind{"created", func(ctx context.Context, round int) (time.Duration, error) {
			if _, err := pushRandom(ctx, p.image(round)); err != nil {
				return 0, err
			}
			return p.publish(ctx, "created", round)
		}},
		kind{"unchanged", func(ctx context.Context, round int) (time.Duration, error) { return p.publish(ctx, "unchanged", round) }})
	if err != nil {
		return nil, err
	}
	return []figure{
		newFigure(createdFigure, took[0], empty, "s", lower, 1.3),
		newFigure(unchangedFigure, took[1], empty, "s", lower, 1.3),
	}, nil
}

// image is that of a round.
func (p *publishTaskRuns) image(round int) string {
	return fmt.Sprintf("%s/bench/random:%s-%d", p.registry, p.id, round)
}

// publish times a TaskRun that publishes the image, and sees to it that it did what is being measured.
func (p *publishTaskRuns) publish(ctx context.Context, action string, round int) (time.Duration, error) {
	took, results, err := p.timeTask(ctx, action, round, map[string]string{"IMAGE_URL": p.image(round)})
	if err != nil {
		return 0, err
	}
	if results["ACTION"] != action {
		return 0, fmt.Errorf("a TaskRun ended with the ACTION %q instead of %q", results["ACTION"], action)
	}
	if action == "created" {
		p.entries = append(p.entries, results["CATALOG_NAME"])
	}
	return took, nil
}
