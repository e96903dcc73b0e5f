package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const (
	rejudgeTimeFigure     = "rejudge/time"
	rejudgeRequestsFigure = "rejudge/requests"
)

// rejudgings measure what it takes until all entries have been judged anew, because the key changed of the policy that
// asks for signatures of their images, against a client that writes the same statuses. Every image is signed with both
// keys, and the controller has found both signatures when it looked for the first.
type rejudgings struct {
	*controllerBench
	rounds  int
	signers [2]*signer // the policy wants the one and the other by turns
	policy  string
}

func rejudge(s settings) measurement {
	r := &rejudgings{controllerBench: &controllerBench{entries: 1000, progress: s.progress}, rounds: 5}
	if s.short {
		r.entries, r.rounds = 200, 3
	}
	return measurement{figures: []string{rejudgeTimeFigure, rejudgeRequestsFigure}, measure: r.measure}
}

func (r *rejudgings) measure(ctx context.Context) ([]figure, error) {
	figures, err := r.onPlane(ctx, r.ofSigned)
	if err != nil {
		return nil, fmt.Errorf("measuring a change of keys: %w", err)
	}
	return figures, nil
}

// ofSigned publishes signed images, first without a policy: what the first judgement asks the registry for is then
// signatures and nothing else.
func (r *rejudgings) ofSigned(ctx context.Context) (_ []figure, err error) {
	if err := r.sign(ctx); err != nil {
		return nil, fmt.Errorf("signing the images: %w", err)
	}
	defer func() { err = errors.Join(err, r.clean(ctx), r.deletePolicy(ctx)) }() // in this order: nobody has to judge what goes
	if err := r.create(ctx); err != nil {
		return nil, err
	}
	if err := r.Controller.Start(ctx); err != nil {
		return nil, err
	}
	if err := r.awaitAvailable(ctx); err != nil {
		return nil, err
	}
	if _, err := r.awaitIdle(ctx); err != nil {
		return nil, err
	}
	first, err := r.follow(ctx, isJudged, r.createPolicy)
	if err != nil {
		return nil, fmt.Errorf("the first judgement: %w", err)
	}
	r.progress.Printf("rejudge: %d entries judged for the first time in %.2f s, with %.0f requests", r.entries, first.took.Seconds(), first.requests)
	return r.takeTurns(ctx, first.requests)
}

// sign has both signers sign every image.
func (r *rejudgings) sign(ctx context.Context) (err error) {
	for n := range r.signers {
		if r.signers[n], err = newSigner(); err != nil {
			return err
		}
	}
	pusher, err := remote.NewPusher()
	if err != nil {
		return err
	}
	numbers := make([]int, r.entries)
	for n := range numbers {
		numbers[n] = n
	}
	_, err = once(ctx, checkers, numbers, func(ctx context.Context, n int) error {
		tag, err := name.NewTag(r.image(n))
		if err != nil {
			return err
		}
		image, err := numberedImage(n)
		if err != nil {
			return err
		}
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		return pushSignatures(ctx, pusher, tag.Digest(digest.String()), r.signers[:]...)
	})
	return err
}

// createPolicy makes an enforcing policy, which wants the first signer.
func (r *rejudgings) createPolicy(ctx context.Context) error {
	wanted := &v1alpha1.CatalogPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"},
		Spec: v1alpha1.CatalogPolicySpec{
			Images:      []v1alpha1.ImagePattern{{Glob: r.registry.address + "/" + imageRepository}},
			Mode:        v1alpha1.ModeEnforce,
			Authorities: wanting(r.signers[0]),
		},
	}
	made, err := r.Catalog.ImagecatalogV1alpha1().CatalogPolicies().Create(ctx, wanted, metav1.CreateOptions{})
	if err == nil {
		r.policy = made.Name
	}
	return err
}

func wanting(s *signer) []v1alpha1.Authority {
	return []v1alpha1.Authority{{Name: "team", Key: v1alpha1.KeyRef{Data: s.public}}}
}

// changeKey has the policy want another signer.
func (r *rejudgings) changeKey(ctx context.Context, to *signer) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"authorities": wanting(to)}})
	if err != nil {
		return err
	}
	_, err = r.Catalog.ImagecatalogV1alpha1().CatalogPolicies().Patch(ctx, r.policy, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (r *rejudgings) deletePolicy(ctx context.Context) error {
	if r.policy == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return r.Catalog.ImagecatalogV1alpha1().CatalogPolicies().Delete(ctx, r.policy, metav1.DeleteOptions{})
}

// takeTurns changes the key to and fro, and writes all statuses in between. The first turn warms up.
func (r *rejudgings) takeTurns(ctx context.Context, collecting float64) ([]figure, error) {
	turns := rejudgeTurns{collecting: collecting}
	for round := range 1 + r.rounds {
		to := r.signers[(round+1)%len(r.signers)]
		judging, err := r.follow(ctx, isJudged, func(ctx context.Context) error { return r.changeKey(ctx, to) })
		if err != nil {
			return nil, fmt.Errorf("judging anew: %w", err)
		}
		writing, err := r.write(ctx)
		if err != nil {
			return nil, fmt.Errorf("writing statuses: %w", err)
		}
		r.progress.Printf("rejudge, round %d: %d entries judged in %.2f s, with %.0f requests and %.2f status writes each; as many statuses written in %.2f s",
			round, r.entries, judging.took.Seconds(), judging.requests, judging.statusWrites()/float64(r.entries), writing.took.Seconds())
		turns.add(judging, writing)
	}
	return turns.figures(), nil
}

// rejudgeTurns are times in seconds, and requests of the registry.
type rejudgeTurns struct {
	judged, written []float64
	requests        []float64
	collecting      float64 // requests of the first judgement
}

func (t *rejudgeTurns) add(judging, writing stretch) {
	t.judged, t.written = append(t.judged, judging.took.Seconds()), append(t.written, writing.took.Seconds())
	t.requests = append(t.requests, judging.requests)
}

// figures leave the first turn's times out. Of requests it is the most in any turn, for there should be none in all.
func (t *rejudgeTurns) figures() []figure {
	return []figure{
		newFigure(rejudgeTimeFigure, median(t.judged[1:]), median(t.written[1:]), "s", lower, 1.25),
		newFigure(rejudgeRequestsFigure, slices.Max(t.requests), t.collecting, "requests", lower, 0),
	}
}

// write writes every status once, as large as the controller's, which is not concerned.
func (r *rejudgings) write(ctx context.Context) (stretch, error) {
	list, err := r.catalogImages().List(ctx, metav1.ListOptions{})
	if err != nil {
		return stretch{}, err
	}
	now := metav1.NewTime(time.Now()).Rfc3339Copy()
	isWritten := func(_, is *v1alpha1.CatalogImage) bool { return is.Status.LastCheckedAt.Equal(&now) }
	return r.follow(ctx, isWritten, func(ctx context.Context) error {
		_, err := once(ctx, reconcilers, list.Items, func(ctx context.Context, entry v1alpha1.CatalogImage) error {
			entry.Status.LastCheckedAt = &now
			_, err := r.catalogImages().UpdateStatus(ctx, &entry, metav1.UpdateOptions{})
			return err
		})
		return err
	})
}

// follow does something when the controller has nothing to do. It gives how long it took until a watch had told of what
// was to happen to every entry, and what was asked until the controller had nothing to do again.
func (r *rejudgings) follow(ctx context.Context, done changed, do func(context.Context) error) (stretch, error) {
	before, err := r.read(ctx)
	if err != nil {
		return stretch{}, err
	}
	took, err := r.untilTold(ctx, done, do)
	if err != nil {
		return stretch{}, err
	}
	if _, err := r.awaitIdle(ctx); err != nil {
		return stretch{}, err
	}
	after, err := r.read(ctx)
	s := after.since(before)
	s.took = took
	return s, err
}

func (r *rejudgings) untilTold(ctx context.Context, done changed, do func(context.Context) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceForChecks)
	defer cancel()
	list, err := r.catalogImages().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	told := telling{done: done, before: map[string]*v1alpha1.CatalogImage{}}
	for n := range list.Items {
		told.before[list.Items[n].Name] = &list.Items[n]
	}
	source := &cache.ListWatch{WatchFuncWithContext: r.catalogImages().Watch}
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	group.Go(func() error { return do(ctx) })
	group.Go(func() error {
		_, err := watchtools.Until(ctx, list.ResourceVersion, source, told.hear)
		return err
	})
	err = group.Wait()
	return time.Since(began), err
}

// changed says whether an entry was changed as is waited for.
type changed func(was, is *v1alpha1.CatalogImage) bool

// isJudged says whether a policy, as it is now, has found the image to be signed.
func isJudged(was, is *v1alpha1.CatalogImage) bool {
	return is.Status.Phase == v1alpha1.PhaseAvailable && is.Status.GetCondition(v1alpha1.ConditionVerified).IsTrue() &&
		revisionIn(is) != "" && revisionIn(is) != revisionIn(was)
}

// revisionIn is that of the only policy that judged an entry, or empty.
func revisionIn(entry *v1alpha1.CatalogImage) string {
	if v := entry.Status.Verification; v != nil && len(v.Policies) == 1 {
		return v.Policies[0].Revision
	}
	return ""
}

// telling is how far a watch has come that tells of changes.
type telling struct {
	done   changed
	before map[string]*v1alpha1.CatalogImage // those that it has yet to tell of, as they were
}

// hear says whether there is nothing more to be told.
func (t telling) hear(event watch.Event) (bool, error) {
	entry, ok := event.Object.(*v1alpha1.CatalogImage)
	if !ok || event.Type == watch.Deleted {
		return false, fmt.Errorf("the watch told %s of a %T", event.Type, event.Object)
	}
	if was := t.before[entry.Name]; was != nil && t.done(was, entry) {
		delete(t.before, entry.Name)
	}
	return len(t.before) == 0, nil
}
