package registry

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// imageAge is how long an image that was found by its digest is taken to be there still. Its content cannot change,
	// but it can be deleted. What a reference itself names is always asked for.
	imageAge = 10 * time.Minute
	// mostImageBytes is the most that an image may take to be kept, about.
	mostImageBytes = 32 << 10
)

// imageKey says whose image it is: what one account may read tells nothing to another.
type imageKey struct {
	accountKey
	repository string
	digest     v1.Hash
}

// found is an image and when it was found.
type found struct {
	*image
	at time.Time
}

// recall gives an image of the session's repository that was described lately; nil if there is none.
func (s *session) recall(digest v1.Hash) *image {
	known, ok := s.account.client.images.Get(imageKey{s.account.accountKey, s.repository.RepositoryStr(), digest})
	if !ok || time.Since(known.at) > imageAge {
		return nil
	}
	return known.image
}

func (s *session) keep(img *image) {
	if img.weight() <= mostImageBytes {
		s.account.client.images.Add(imageKey{s.account.accountKey, s.repository.RepositoryStr(), img.digest}, found{img, time.Now()})
	}
}

// weight is what an image takes in memory, in bytes, about.
func (i *image) weight() int {
	const blob, file = 100, 250
	weight := blob*len(i.blobs) + file*len(i.files)
	for key, value := range i.labels {
		weight += len(key) + len(value)
	}
	return weight
}
