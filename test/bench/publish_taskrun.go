package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

const (
	publishTask = "catalog-publish"

	// kubeletPeriod is how often the kubelet looks which containers have ended (its pod lifecycle event generator).
	kubeletPeriod = time.Second

	createdFigure   = "publish/created"
	unchangedFigure = "publish/unchanged"
)

// publishTaskRuns measures a TaskRun of catalog-publish, from creating it to being told that it is done, against a
// TaskRun that does nothing: what remains is the price of publishing. An image is published twice, first as a new
// entry, then as one that is there already.
//
// The empty TaskRun is one of a Task made from the installed catalog-publish: the same single step with the same image,
// security context and resources, whose command is asked for its usage and ends. So both runs schedule the same pod
// but for the settings that publishing has mounted, pull nothing and start the same binary; a smaller image would make
// the comparison one of images.
type publishTaskRuns struct {
	*cluster
	rounds    int
	progress  *log.Logger
	id        string   // of this measurement, part of all names
	published []string // entries to delete in the end
}

func publishTaskRun(s settings) measurement {
	p := &publishTaskRuns{rounds: 5, progress: s.progress, id: rand.String(5)}
	if s.short {
		p.rounds = 3
	}
	return measurement{figures: []string{createdFigure, unchangedFigure}, measure: p.measure}
}

func (p *publishTaskRuns) measure(ctx context.Context) ([]figure, error) {
	figures, err := p.onCluster(ctx)
	if err != nil {
		return nil, fmt.Errorf("measuring catalog-publish: %w", err)
	}
	return figures, nil
}

func (p *publishTaskRuns) onCluster(ctx context.Context) (_ []figure, err error) {
	if p.cluster, err = newCluster(); err != nil {
		return nil, err
	}
	task, err := p.tasks.Get(ctx, publishTask, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("missing: the Task %s in the namespace %s; run first: make run", publishTask, demoNamespace)
	} else if err != nil {
		return nil, fmt.Errorf("looking for the Task %s in the namespace %s: %w", publishTask, demoNamespace, err)
	}
	defer func() { err = errors.Join(err, p.clean(ctx, p.published)) }()
	if _, err := p.tasks.Create(ctx, emptied(task, p.emptyTask()), metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("making a Task that does nothing: %w", err)
	}
	return p.takeTurns(ctx)
}

func (p *publishTaskRuns) emptyTask() string { return "bench-empty-" + p.id }

// emptied is a Task with the same step that does nothing.
func emptied(task *pipelinev1.Task, name string) *pipelinev1.Task {
	step := task.Spec.Steps[0].DeepCopy()
	step.Args, step.Env, step.VolumeMounts = []string{"--help"}, nil, nil
	return &pipelinev1.Task{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{benchLabel: ""}},
		Spec:       pipelinev1.TaskSpec{Steps: []pipelinev1.Step{*step}},
	}
}

// takeTurns runs the three kinds one after the other, again and again. The first turn warms up and does not count.
func (p *publishTaskRuns) takeTurns(ctx context.Context) ([]figure, error) {
	var empty, created, unchanged []float64
	for round := range 1 + p.rounds {
		image, err := p.push(ctx, round)
		if err != nil {
			return nil, err
		}
		nothing, _, err := p.timeInPhase(ctx, p.newRun(p.emptyTask(), fmt.Sprintf("empty-%d", round)), round)
		if err != nil {
			return nil, err
		}
		first, err := p.publish(ctx, image, "created", round)
		if err != nil {
			return nil, err
		}
		again, err := p.publish(ctx, image, "unchanged", round)
		if err != nil {
			return nil, err
		}
		p.progress.Printf("publish, round %d: empty %.2f s, created %.2f s, unchanged %.2f s",
			round, nothing.Seconds(), first.Seconds(), again.Seconds())
		empty, created, unchanged = append(empty, nothing.Seconds()), append(created, first.Seconds()), append(unchanged, again.Seconds())
	}
	baseline := median(empty[1:])
	return []figure{
		newFigure(createdFigure, median(created[1:]), baseline, "s", lower, 1.3),
		newFigure(unchangedFigure, median(unchanged[1:]), baseline, "s", lower, 1.3),
	}, nil
}

// timeInPhase times a TaskRun that begins in another part of the kubelet's period in every round. The end of a run is
// seen when the kubelet next looks; begun as soon as the last one is done, all runs would begin at that moment and take
// whole seconds. So spread, the runs of each kind take what they take to somebody who comes at any time.
func (p *publishTaskRuns) timeInPhase(ctx context.Context, run *pipelinev1.TaskRun, round int) (time.Duration, map[string]string, error) {
	select {
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case <-time.After(time.Duration(round%p.rounds) * kubeletPeriod / time.Duration(p.rounds)):
	}
	return p.timeRun(ctx, run)
}

// push puts an image into the registry that was never there.
func (p *publishTaskRuns) push(ctx context.Context, round int) (string, error) {
	reference := fmt.Sprintf("%s/bench/random:%s-%d", p.registry, p.id, round)
	tag, err := name.NewTag(reference)
	if err != nil {
		return "", fmt.Errorf("reading REGISTRY: %w", err)
	}
	image, err := random.Image(1024, 2)
	if err != nil {
		return "", err
	}
	if err := remote.Write(tag, image, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("pushing %s: %w", reference, err)
	}
	return reference, nil
}

// publish times a TaskRun that publishes the image, and sees to it that it did what is being measured.
func (p *publishTaskRuns) publish(ctx context.Context, image, action string, round int) (time.Duration, error) {
	run := p.newRun(publishTask, fmt.Sprintf("%s-%d", action, round))
	run.Spec.Params = pipelinev1.Params{{Name: "IMAGE_URL", Value: *pipelinev1.NewStructuredValues(image)}}
	took, results, err := p.timeInPhase(ctx, run, round)
	if err != nil {
		return 0, err
	}
	if results["ACTION"] != action {
		return 0, fmt.Errorf("the TaskRun %s ended with the ACTION %q instead of %q", run.Name, results["ACTION"], action)
	}
	if action == "created" {
		p.published = append(p.published, results["CATALOG_NAME"])
	}
	return took, nil
}

func (p *publishTaskRuns) newRun(task, suffix string) *pipelinev1.TaskRun {
	return &pipelinev1.TaskRun{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bench-%s-%s", p.id, suffix), Labels: map[string]string{benchLabel: ""}},
		Spec: pipelinev1.TaskRunSpec{
			TaskRef:            &pipelinev1.TaskRef{Name: task},
			ServiceAccountName: serviceAccount,
		},
	}
}
