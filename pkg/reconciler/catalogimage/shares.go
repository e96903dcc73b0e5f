package catalogimage

import (
	"strconv"
	"strings"
	"sync"

	"knative.dev/pkg/reconciler"
)

// shares tells which part of the entries is this replica's, by the buckets that it was elected for: its part of what
// registries may be asked is the same.
type shares struct {
	apply func(part float64)

	mutex sync.Mutex
	own   map[string]bool
}

func (s *shares) promoted(bucket reconciler.Bucket) { s.change(bucket, true) }
func (s *shares) demoted(bucket reconciler.Bucket)  { s.change(bucket, false) }

func (s *shares) change(bucket reconciler.Bucket, own bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.own == nil {
		s.own = map[string]bool{}
	}
	if own {
		s.own[bucket.Name()] = true
	} else {
		delete(s.own, bucket.Name())
	}
	if len(s.own) > 0 { // else nothing is asked
		s.apply(min(float64(len(s.own))/float64(total(bucket)), 1))
	}
}

// total is the number of buckets that there are, which the name of each tells: knative ends it with 01-of-04. Without
// leader election there is one, which has no name.
func total(bucket reconciler.Bucket) int {
	_, of, ok := strings.Cut(bucket.Name(), "-of-")
	count, err := strconv.Atoi(of)
	if !ok || err != nil || count < 1 {
		return 1
	}
	return count
}
