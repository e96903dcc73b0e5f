package catalogpolicy

import (
	"cmp"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// entriesOfRepository is the index of the entries by the repository of their image. There are far fewer repositories than
// entries, so that counting matches few patterns and parses no reference.
const entriesOfRepository = "repository that policies select"

// byRepository indexes an entry by its repository, in the form that references have after parsing.
func byRepository(object any) ([]string, error) {
	if entry, ok := object.(*v1alpha1.CatalogImage); ok {
		if ref, err := entry.Spec.Reference(); err == nil {
			return []string{ref.Context().Name()}, nil
		}
	}
	return nil, nil // of no image: its status says so
}

// reasonNotJudged is that of an entry without a verdict of the policy as it is now.
const reasonNotJudged = "NotJudged"

// Count is how many entries a policy is for, how many of them satisfy it as it is now, and the first that do not.
type Count struct {
	Selected, Satisfied int64
	Unsatisfied         []v1alpha1.UnsatisfiedEntry
}

// census counts entries by what their statuses say.
type census struct {
	entries    cache.Indexer // with entriesOfRepository
	namespaces corelisters.NamespaceLister
}

// labelsOf are none for a namespace that is being deleted, or so new that its event is to come.
func (c census) labelsOf(namespace string) map[string]string {
	if known, err := c.namespaces.Get(namespace); err == nil {
		return known.Labels
	}
	return nil
}

// Count implements Entries.
func (c census) Count(p *policy.Policy) Count {
	var counted Count
	for _, text := range c.entries.ListIndexFuncValues(entriesOfRepository) {
		repository, err := name.NewRepository(text)
		if err != nil || !p.SelectsImage(repository) {
			continue
		}
		known, err := c.entries.ByIndex(entriesOfRepository, text)
		if err != nil {
			continue // no such index, which a test would see
		}
		for _, object := range known {
			if entry := object.(*v1alpha1.CatalogImage); p.SelectsNamespace(c.labelsOf(entry.Namespace)) {
				counted.add(entry, p)
			}
		}
	}
	counted.Unsatisfied = firstOf(counted.Unsatisfied)
	return counted
}

func (c *Count) add(entry *v1alpha1.CatalogImage, p *policy.Policy) {
	c.Selected++
	outcome, reason := verdictOf(entry, p)
	if outcome == v1alpha1.PolicySatisfied {
		c.Satisfied++
		return
	}
	c.Unsatisfied = append(c.Unsatisfied, v1alpha1.UnsatisfiedEntry{Namespace: entry.Namespace, Name: entry.Name, Reason: reason})
}

// verdictOf is what an entry's status says about the policy as it is now.
func verdictOf(entry *v1alpha1.CatalogImage, p *policy.Policy) (v1alpha1.PolicyOutcome, string) {
	for _, verdict := range verdictsOf(entry) {
		if verdict.Name == p.Name && verdict.Revision == p.Revision {
			return verdict.Outcome, cmp.Or(verdict.Reason, string(verdict.Outcome))
		}
	}
	return v1alpha1.PolicyUnknown, reasonNotJudged
}

func verdictsOf(entry *v1alpha1.CatalogImage) []v1alpha1.PolicyVerdict {
	if entry.Status.Verification == nil {
		return nil
	}
	return entry.Status.Verification.Policies
}

// firstOf are as many as a status names, by namespace and name.
func firstOf(entries []v1alpha1.UnsatisfiedEntry) []v1alpha1.UnsatisfiedEntry {
	slices.SortFunc(entries, func(a, b v1alpha1.UnsatisfiedEntry) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.Clip(entries[:min(len(entries), v1alpha1.MaxUnsatisfied)])
}
