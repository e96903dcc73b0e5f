package catalogpolicy

import (
	"context"
	"errors"
	"strings"

	"knative.dev/pkg/reconciler"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogpolicyreconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogpolicy"
	"imagecatalog.dev/catalog/pkg/policy"
)

// Keys gives the public keys in a Secret of the catalog's namespace. An error that is a *lack is for who made the Secret, and
// stands until it changes; any other leaves open what is there.
type Keys interface {
	Of(ctx context.Context, secret string) (string, error)
}

// Entries counts those that a policy is for.
type Entries interface {
	Count(*policy.Policy) Count
}

// Reconciler writes the statuses of policies.
type Reconciler struct {
	keys    Keys
	entries Entries
}

var _ catalogpolicyreconciler.Interface = (*Reconciler)(nil)

// ReconcileKind says of a policy whether it can be read, reads the keys that it names, and counts the entries that it is for.
func (r *Reconciler) ReconcileKind(ctx context.Context, p *v1alpha1.CatalogPolicy) reconciler.Event {
	if problems := policy.Validate(p); problems != nil {
		p.Status.MarkInvalid(strings.ReplaceAll(problems.Error(), "\n", ": "))
	} else {
		p.Status.MarkValid()
	}
	err := r.readKeys(ctx, p)
	r.count(p)
	return err
}

// readKeys reads the keys in Secrets into the status. As long as it is not known what a Secret holds, the keys that were read
// stand; but not for another spec, in which an authority may have another Secret.
func (r *Reconciler) readKeys(ctx context.Context, p *v1alpha1.CatalogPolicy) error {
	var keys []v1alpha1.AuthorityKeys
	var lacks []string
	var unknown error
	for _, authority := range p.Spec.Authorities {
		if authority.Key.SecretRef == nil {
			continue
		}
		data, err := r.keys.Of(ctx, authority.Key.SecretRef.Name)
		if err == nil {
			keys = append(keys, v1alpha1.AuthorityKeys{Authority: authority.Name, Data: data})
			continue
		}
		lacks = append(lacks, err.Error())
		var known *lack
		if !errors.As(err, &known) {
			unknown = errors.Join(unknown, err)
		}
	}
	switch {
	case unknown != nil && p.Status.ObservedGeneration == p.Generation:
	case len(lacks) > 0:
		p.Status.MarkKeysUnavailable(keys, strings.Join(lacks, "; "))
	default:
		p.Status.MarkKeys(keys)
	}
	return unknown
}

func (r *Reconciler) count(p *v1alpha1.CatalogPolicy) {
	read := p.DeepCopy()
	read.Status.ObservedGeneration = p.Generation // as it is going to be stored, with these keys
	known, _ := policy.Read(read)                 // of one that is not valid, what can be read
	counted := r.entries.Count(known)
	p.Status.Selected, p.Status.Satisfied, p.Status.Unsatisfied = counted.Selected, counted.Satisfied, counted.Unsatisfied
}
