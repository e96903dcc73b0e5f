package assemble

import (
	"errors"

	"github.com/google/go-containerregistry/pkg/name"

	"imagecatalog.dev/catalog/pkg/param"
)

// ExitFailed is what the Task exits with when the image was not built.
const ExitFailed = 1

// Results takes the results of the Task. *result.Dir is one.
type Results interface {
	Write(name, value string) error
}

// WriteResults writes the results of the Task. Their names are type hints for Tekton Chains ("Type Hinting"): the
// image is what this run has built.
func WriteResults(results Results, image name.Tag, digest name.Digest) error {
	return errors.Join(
		results.Write("IMAGE_URL", image.Name()),
		results.Write("IMAGE_DIGEST", digest.DigestStr()),
	)
}

// ExitCode is what the Task exits with: 0, ExitFailed or param.ExitCode.
func ExitCode(err error) int {
	var wrong *param.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		return param.ExitCode
	default:
		return ExitFailed
	}
}
