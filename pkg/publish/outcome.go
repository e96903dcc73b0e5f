package publish

import (
	"errors"

	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Action is what publishing did.
type Action string

// The actions.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	DryRun    Action = "dry-run"
)

// Outcome is what became of an image. What is not known is the zero value.
type Outcome struct {
	Name      string
	Namespace string
	// Pinned is the image by its digest.
	Pinned name.Digest
	Action Action
	// Phase of the entry when it was last seen.
	Phase v1alpha1.Phase
}

// Results takes the results of the Task. *result.Dir is one.
type Results interface {
	Write(name, value string) error
	WriteObject(name string, fields map[string]string) error
}

// WriteTo writes what is known as results of the Task. CATALOG_ARTIFACT_INPUTS is a type hint for Tekton Chains
// ("ARTIFACT_INPUTS"): the image is something this run used, not something it built.
func (o Outcome) WriteTo(results Results) error {
	var errs []error
	write := func(name, value string) {
		if value != "" {
			errs = append(errs, results.Write(name, value))
		}
	}
	write("CATALOG_NAME", o.Name)
	write("CATALOG_NAMESPACE", o.Namespace)
	write("ACTION", string(o.Action))
	write("PHASE", string(o.Phase))
	if o.Pinned != (name.Digest{}) {
		write("PINNED_REF", o.Pinned.Name())
		errs = append(errs, results.WriteObject("CATALOG_ARTIFACT_INPUTS", map[string]string{
			"uri":    o.Pinned.Context().Name(),
			"digest": o.Pinned.DigestStr(),
		}))
	}
	return errors.Join(errs...)
}
