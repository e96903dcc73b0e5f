package v1alpha1

import (
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	// DefaultCheckInterval is the interval of an entry that names none.
	DefaultCheckInterval = time.Hour
	// MinCheckInterval is the shortest interval that the schema admits.
	MinCheckInterval = time.Minute
)

// Reference parses the image reference. With a digest, in the image or beside it, the result is a name.Digest and
// its tag is left out: the digest decides. Docker's defaults apply as everywhere (docker.io, library/, latest).
func (s *CatalogImageSpec) Reference() (name.Reference, error) {
	ref, err := name.ParseReference(s.Image)
	if err != nil {
		return nil, fmt.Errorf("parsing spec.image: %w", err)
	}
	if s.Digest == "" {
		return ref, nil
	}
	return ref.Context().Digest(s.Digest), nil
}

// Interval is how long after a check the registry is asked again.
func (s *CatalogImageSpec) Interval() time.Duration {
	if s.CheckInterval == nil {
		return DefaultCheckInterval
	}
	return s.CheckInterval.Duration
}
