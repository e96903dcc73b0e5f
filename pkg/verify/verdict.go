package verify

import (
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
)

// Outcome is the answer of the gate.
type Outcome string

// The answers.
const (
	Verified    Outcome = "VERIFIED"
	NotVerified Outcome = "NOT VERIFIED"
	// Undecided: the registry or the catalog could not be asked; the same run may succeed later.
	Undecided Outcome = "UNDECIDED"
	// BadParams: nothing was asked.
	BadParams Outcome = "BAD PARAMS"
)

// The reasons that are neither a registry.Reason nor a signature.Reason, nor one of package policy.
const (
	ReasonVerified           = "Verified"
	ReasonPlatformMissing    = policy.ReasonPlatformMissing
	ReasonRecalled           = "Recalled"
	ReasonEntryNotFound      = "EntryNotFound"
	ReasonEntryInvalid       = "EntryInvalid"
	ReasonPolicyNotFound     = "PolicyNotFound"
	ReasonPolicyDoesNotApply = "PolicyDoesNotApply"
	ReasonCatalogForbidden   = "CatalogForbidden"
	ReasonCatalogUnavailable = "CatalogUnavailable"
	ReasonKeyForbidden       = "KeyForbidden"
	ReasonKeyUnavailable     = v1alpha1.ReasonKeyUnavailable
	ReasonBadParams          = "BadParams"
)

// The exit codes of the Task, beside 0 and param.ExitCode.
const (
	ExitNotVerified = 1
	ExitUndecided   = 2
)

// Verdict is what became of the checks.
type Verdict struct {
	Outcome Outcome
	// Reason is one word for machines, Message one or more sentences for people.
	Reason, Message string
	// Pinned is the image that was judged, by its digest; nil if that is not known.
	Pinned *name.Digest
	// SignaturesVerified says that signatures were asked for, by a key or by a policy, and all of them were found.
	SignaturesVerified bool
	// The number of checks that held, that did not, and that call for attention.
	Successes, Failures, Warnings int
}

// String is the last line of the Task's log.
func (v Verdict) String() string {
	return fmt.Sprintf("%s (%s): %s", v.Outcome, v.Reason, v.Message)
}

// ExitCode is what the Task exits with. Without strict, an image that is not verified is left to the pipeline, which
// has the result VERIFIED to go by; no answer at all is never taken for one.
func (v Verdict) ExitCode(strict bool) int {
	switch v.Outcome {
	case Verified:
		return 0
	case NotVerified:
		if !strict {
			return 0
		}
		return ExitNotVerified
	case BadParams:
		return param.ExitCode
	default:
		return ExitUndecided
	}
}

// Refuse is the verdict on params that cannot be used.
func Refuse(err error) Verdict {
	return verdictOn(err)
}

// finding is a check that did not hold.
type finding struct {
	outcome Outcome
	reason  string
	text    string
}

func (f *finding) Error() string { return f.text }

// verdictOn is the one place that decides what an error means for the gate.
func verdictOn(err error) Verdict {
	var found *finding
	var wrong *param.Error
	reason := registry.ReasonOf(err)
	switch {
	case err == nil:
		return Verdict{Outcome: Verified, Reason: ReasonVerified}
	case errors.As(err, &found):
		return Verdict{Outcome: found.outcome, Reason: found.reason, Message: err.Error()}
	case errors.As(err, &wrong):
		return Verdict{Outcome: BadParams, Reason: ReasonBadParams, Message: err.Error()}
	case reason.Definite():
		return Verdict{Outcome: NotVerified, Reason: string(reason), Message: err.Error()}
	case reason != "":
		return Verdict{Outcome: Undecided, Reason: string(reason), Message: err.Error()}
	default:
		return Verdict{Outcome: Undecided, Reason: string(registry.RegistryUnavailable), Message: err.Error()}
	}
}
