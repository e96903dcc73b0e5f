package publish

import (
	"errors"

	"imagecatalog.dev/catalog/pkg/param"
)

// The exit codes of the Task, beside 0 and param.ExitCode.
const (
	// ExitRefused: the catalog or the registry said no. The same params will not do better.
	ExitRefused = 1
	// ExitUndecided: the registry or the catalog could not be asked, or not in time. A retry may succeed.
	ExitUndecided = 2
)

// Failure is why an image was not published, or not as far as was asked for.
type Failure struct {
	// Exit is ExitRefused or ExitUndecided.
	Exit int
	// Cause is what happened; Advice is what to do next.
	Cause  error
	Advice string
}

func (f *Failure) Error() string { return f.Cause.Error() + "\n" + f.Advice }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// ExitCode is what the Task exits with for an error of Publish or of the params.
func ExitCode(err error) int {
	var failure *Failure
	var wrong *param.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failure):
		return failure.Exit
	case errors.As(err, &wrong):
		return param.ExitCode
	default:
		return ExitUndecided
	}
}

func refused(cause error, advice string) error {
	return &Failure{Exit: ExitRefused, Cause: cause, Advice: advice}
}

func undecided(cause error, advice string) error {
	return &Failure{Exit: ExitUndecided, Cause: cause, Advice: advice}
}
