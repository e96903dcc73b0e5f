package publish

import (
	"context"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// Registry tells what an image is. *registry.Client is one.
type Registry interface {
	Describe(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*registry.Description, error)
}

// Publisher enters images into the entries of one namespace.
type Publisher struct {
	Registry Registry
	Keychain authn.Keychain
	Entries  Entries
	// Log takes a few lines for people.
	Log io.Writer
}

// Publish makes the entry of an image, or brings the one there is in line with what is stated, and waits for it where
// that is asked for. The outcome holds what is known, also beside an error. Errors are *param.Error (nothing was done)
// or *Failure.
func (p *Publisher) Publish(ctx context.Context, options Options) (Outcome, error) {
	outcome := Outcome{Name: options.Name, Namespace: options.Namespace}
	if err := options.Validate(); err != nil {
		return outcome, err
	}
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	stated, pinned, err := p.state(ctx, options)
	if err != nil {
		return outcome, err
	}
	outcome.Pinned = pinned
	if options.Name == "" {
		outcome.Name = entryName(pinned, writtenTag(stated.Image))
	}
	err = p.enter(ctx, options, stated, &outcome)
	return outcome, err
}

// state joins what the params state with what the image says about itself, and pins the image.
func (p *Publisher) state(ctx context.Context, options Options) (v1alpha1.CatalogImageSpec, name.Digest, error) {
	image, err := parseImage(options.ImageURL, options.ImageDigest)
	if err != nil {
		return v1alpha1.CatalogImageSpec{}, name.Digest{}, err
	}
	found, err := p.Registry.Describe(ctx, image.reference, p.Keychain)
	if err != nil {
		return v1alpha1.CatalogImageSpec{}, name.Digest{}, registryFailure(err)
	}
	stated := options.stated()
	stated.Image, stated.Digest = image.written, found.Digest
	for _, warning := range stateFound(&stated, found) {
		p.logf("warning: %s\n", warning)
	}
	return stated, image.reference.Context().Digest(found.Digest), nil
}

// logf tells people what happens. A log that cannot be written is no reason to fail.
func (p *Publisher) logf(format string, args ...any) { _, _ = fmt.Fprintf(p.Log, format, args...) }

func registryFailure(err error) error {
	cause := fmt.Errorf("looking the image up: %w", err)
	switch reason := registry.ReasonOf(err); {
	case reason.Definite():
		return refused(cause, "Nothing was published.")
	case reason == registry.Blocked:
		return undecided(cause, "Nothing was published; run the task again when the ConfigMap of REGISTRIES lets it ask.")
	default:
		return undecided(cause, "Nothing was published; run the task again when the registry answers.")
	}
}

// enter writes the entry and, where asked for, waits for its condition.
func (p *Publisher) enter(ctx context.Context, options Options, stated v1alpha1.CatalogImageSpec, outcome *Outcome) error {
	w := writer{entries: p.Entries, options: options, name: outcome.Name, pinned: outcome.Pinned, stated: stated}
	entry, action, err := w.write(ctx)
	if err != nil {
		return err
	}
	outcome.Action, outcome.Phase = action, phaseOf(entry)
	if options.DryRun {
		outcome.Action = DryRun
		p.logf("dry run: %s/%s would be %s: %s\n", outcome.Namespace, outcome.Name, action, outcome.Pinned)
		return nil
	}
	p.logf("%s %s/%s: %s\n", action, outcome.Namespace, outcome.Name, outcome.Pinned)
	if options.WaitFor == "" {
		return nil
	}
	entry, err = p.wait(ctx, outcome.Name, options.WaitFor)
	if entry != nil {
		outcome.Phase = phaseOf(entry)
	}
	if err == nil {
		p.logf("%s: %s\n", options.WaitFor, outcome.Phase)
	}
	return err
}

// phaseOf is the phase of the entry as it is written now: one that the controller has not seen yet is pending, whatever
// the status says about the entry before.
func phaseOf(entry *v1alpha1.CatalogImage) v1alpha1.Phase {
	if entry.Status.Phase == "" || entry.Status.ObservedGeneration != entry.Generation {
		return v1alpha1.PhasePending
	}
	return entry.Status.Phase
}
