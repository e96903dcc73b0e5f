package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	pipelinev1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tekton "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"

	catalog "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

const (
	demoNamespace  = "image-catalog-demo" // where test/run installs the Tasks
	serviceAccount = "pipeline"           // with the right to publish there
	patienceForRun = 2 * time.Minute

	// benchLabel marks what the bench makes, to be deleted at the end.
	benchLabel = "imagecatalog.dev/made-by-bench"
)

// cluster is the installation that KUBECONFIG and REGISTRY lead to.
type cluster struct {
	runs     tekton.TaskRunInterface
	tasks    tekton.TaskInterface
	entries  catalog.CatalogImageInterface
	registry string // host:port
}

func newCluster() (*cluster, error) {
	c := &cluster{registry: os.Getenv("REGISTRY")}
	var lacks []string
	for _, variable := range []string{"KUBECONFIG", "REGISTRY"} {
		if os.Getenv(variable) == "" {
			lacks = append(lacks, variable)
		}
	}
	if len(lacks) > 0 {
		return nil, fmt.Errorf(`missing in the environment: %s; set by: eval "$(make --silent env)"`, strings.Join(lacks, ", "))
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, fmt.Errorf("reading KUBECONFIG: %w", err)
	}
	pipelines, err := tekton.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	images, err := catalog.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c.runs, c.tasks = pipelines.TaskRuns(demoNamespace), pipelines.Tasks(demoNamespace)
	c.entries = images.CatalogImages(demoNamespace)
	return c, nil
}

// timeRun gives what a TaskRun took from its creation until a watch told that it was done, and its results. A run that
// fails is an error.
func (c *cluster) timeRun(ctx context.Context, run *pipelinev1.TaskRun) (time.Duration, map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceForRun)
	defer cancel()
	events, err := c.runs.Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", run.Name).String()})
	if err != nil {
		return 0, nil, fmt.Errorf("watching the TaskRun %s: %w", run.Name, err)
	}
	defer events.Stop()
	began := time.Now()
	if _, err := c.runs.Create(ctx, run, metav1.CreateOptions{}); err != nil {
		return 0, nil, fmt.Errorf("creating the TaskRun %s: %w", run.Name, err)
	}
	last, err := watchtools.UntilWithoutRetry(ctx, events, isDone)
	took := time.Since(began)
	if err != nil {
		return 0, nil, fmt.Errorf("waiting for the TaskRun %s: %w", run.Name, err)
	}
	results, err := resultsOf(last.Object.(*pipelinev1.TaskRun))
	return took, results, err
}

func isDone(event watch.Event) (bool, error) {
	run, ok := event.Object.(*pipelinev1.TaskRun)
	if !ok || event.Type == watch.Deleted {
		return false, fmt.Errorf("the watch told %s of a %T", event.Type, event.Object)
	}
	return run.IsDone(), nil
}

func resultsOf(run *pipelinev1.TaskRun) (map[string]string, error) {
	if !run.IsSuccessful() {
		return nil, fmt.Errorf("the TaskRun %s did not succeed: %v", run.Name, run.Status.Conditions)
	}
	results := map[string]string{}
	for _, result := range run.Status.Results {
		results[result.Name] = result.Value.StringVal
	}
	return results, nil
}

// clean deletes what the bench made, even when the bench is being interrupted.
func (c *cluster) clean(ctx context.Context, entries []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	made := metav1.ListOptions{LabelSelector: benchLabel}
	errs := []error{
		c.runs.DeleteCollection(ctx, metav1.DeleteOptions{}, made),
		c.tasks.DeleteCollection(ctx, metav1.DeleteOptions{}, made),
	}
	for _, entry := range entries {
		errs = append(errs, c.entries.Delete(ctx, entry, metav1.DeleteOptions{}))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("deleting what the bench made: %w", err)
	}
	return nil
}
