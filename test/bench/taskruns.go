package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

// kubeletPeriod is how often the kubelet looks which containers have ended (its pod lifecycle event generator).
const kubeletPeriod = time.Second

// taskRuns times TaskRuns of an installed Task, from creating one to being told that it is done, against TaskRuns that
// do nothing: what remains is the price of the Task's work.
//
// The empty TaskRun is one of a Task made from the installed one: the same single step with the same image, security
// context and resources, whose command is asked for its usage and ends. So both runs schedule the same pod but for the
// settings that the Task has mounted, pull nothing and start the same binary; a smaller image would make the comparison
// one of images.
type taskRuns struct {
	*cluster
	task     string
	rounds   int
	progress *log.Logger
	id       string   // of this measurement, part of all names
	entries  []string // to delete in the end
}

func newTaskRuns(s settings, task string) *taskRuns {
	t := &taskRuns{task: task, rounds: 5, progress: s.progress, id: rand.String(5)}
	if s.short {
		t.rounds = 3
	}
	return t
}

// onCluster measures with the Task as it is installed, and the empty one beside it.
func (t *taskRuns) onCluster(ctx context.Context, measure func(context.Context, *pipelinev1.Task) ([]figure, error)) (_ []figure, err error) {
	if t.cluster, err = newCluster(); err != nil {
		return nil, err
	}
	task, err := t.tasks.Get(ctx, t.task, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("missing: the Task %s in the namespace %s; run first: make run", t.task, demoNamespace)
	} else if err != nil {
		return nil, fmt.Errorf("looking for the Task %s in the namespace %s: %w", t.task, demoNamespace, err)
	}
	defer func() { err = errors.Join(err, t.clean(ctx, t.entries)) }()
	if _, err := t.tasks.Create(ctx, emptied(task, t.emptyTask()), metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("making a Task that does nothing: %w", err)
	}
	return measure(ctx, task)
}

func (t *taskRuns) emptyTask() string { return "bench-empty-" + t.id }

// emptied is a Task with the same step that does nothing.
func emptied(task *pipelinev1.Task, name string) *pipelinev1.Task {
	step := task.Spec.Steps[0].DeepCopy()
	step.Args, step.Env, step.VolumeMounts = []string{"--help"}, nil, nil
	return &pipelinev1.Task{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{benchLabel: ""}},
		Spec:       pipelinev1.TaskSpec{Steps: []pipelinev1.Step{*step}},
	}
}

// kind is a kind of TaskRuns.
type kind struct {
	name string
	// time gives what the one of a round took.
	time func(ctx context.Context, round int) (time.Duration, error)
}

// againstEmpty gives the medians of the empty kind and of the others, in seconds.
func (t *taskRuns) againstEmpty(ctx context.Context, kinds ...kind) (empty float64, others []float64, err error) {
	medians, err := t.inTurns(ctx, append([]kind{{"empty", t.timeEmpty}}, kinds...)...)
	if err != nil {
		return 0, nil, err
	}
	return medians[0], medians[1:], nil
}

// inTurns runs the kinds one after the other, again and again, and gives their medians in seconds. The first turn warms up
// and does not count.
func (t *taskRuns) inTurns(ctx context.Context, kinds ...kind) (medians []float64, err error) {
	took := make([][]float64, len(kinds))
	for round := range 1 + t.rounds {
		var said []string
		for n, one := range kinds {
			duration, err := one.time(ctx, round)
			if err != nil {
				return nil, err
			}
			took[n] = append(took[n], duration.Seconds())
			said = append(said, fmt.Sprintf("%s %.2f s", one.name, duration.Seconds()))
		}
		t.progress.Printf("%s, round %d: %s", t.task, round, strings.Join(said, ", "))
	}
	for _, seconds := range took {
		medians = append(medians, median(seconds[1:]))
	}
	return medians, nil
}

func (t *taskRuns) timeEmpty(ctx context.Context, round int) (time.Duration, error) {
	took, _, err := t.timeInPhase(ctx, t.newRun(t.emptyTask(), "empty", round), round)
	return took, err
}

// timeTask times a TaskRun of the Task with params, each a string.
func (t *taskRuns) timeTask(ctx context.Context, kind string, round int, params map[string]string) (time.Duration, map[string]string, error) {
	run := t.newRun(t.task, kind, round)
	for name, value := range params {
		run.Spec.Params = append(run.Spec.Params, pipelinev1.Param{Name: name, Value: *pipelinev1.NewStructuredValues(value)})
	}
	return t.timeInPhase(ctx, run, round)
}

// timeInPhase times a TaskRun that begins in another part of the kubelet's period in every round. The end of a run is
// seen when the kubelet next looks; begun as soon as the last one is done, all runs would begin at that moment and take
// whole seconds. So spread, the runs of each kind take what they take to somebody who comes at any time.
func (t *taskRuns) timeInPhase(ctx context.Context, run *pipelinev1.TaskRun, round int) (time.Duration, map[string]string, error) {
	select {
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case <-time.After(time.Duration(round%t.rounds) * kubeletPeriod / time.Duration(t.rounds)):
	}
	return t.timeRun(ctx, run)
}

func (t *taskRuns) newRun(task, kind string, round int) *pipelinev1.TaskRun {
	return &pipelinev1.TaskRun{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bench-%s-%s-%d", t.id, kind, round), Labels: map[string]string{benchLabel: ""}},
		Spec: pipelinev1.TaskRunSpec{
			TaskRef:            &pipelinev1.TaskRef{Name: task},
			ServiceAccountName: serviceAccount,
		},
	}
}
