package policy

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/labels"

	listers "imagecatalog.dev/catalog/pkg/client/listers/catalog/v1alpha1"
)

// Library keeps what was read of stored policies, each once for every version of it.
type Library struct {
	stored listers.CatalogPolicyLister

	mutex sync.Mutex
	read  map[string]volume // by name
}

// volume is what was read of one version of a policy.
type volume struct {
	version string
	policy  *Policy
	err     error
}

// NewLibrary is of the policies of a lister, which has read them.
func NewLibrary(stored listers.CatalogPolicyLister) *Library {
	return &Library{stored: stored, read: map[string]volume{}}
}

// Selecting gives the policies that are for images of a repository in a namespace with such labels, by name. A policy of which
// something cannot be read is among them, so far as what it is for can. The error is ErrKeysNotRead, of any policy: then
// nobody can say yet which are for the image.
func (l *Library) Selecting(repository name.Repository, namespace map[string]string) ([]*Policy, error) {
	all, err := l.all()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p *Policy) bool { return !p.Selects(repository, namespace) }), nil
}

// all gives the policies as they are stored now, and forgets those that are not any more.
func (l *Library) all() ([]*Policy, error) {
	stored, err := l.stored.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	read := make(map[string]volume, len(stored))
	policies := make([]*Policy, 0, len(stored))
	var unread error
	for _, each := range stored {
		known, ok := l.read[each.Name]
		if version := string(each.UID) + "/" + each.ResourceVersion; !ok || known.version != version {
			known = volume{version: version}
			known.policy, known.err = Read(each)
		}
		read[each.Name] = known
		if errors.Is(known.err, ErrKeysNotRead) {
			unread = known.err
			continue
		}
		policies = append(policies, known.policy)
	}
	l.read = read
	slices.SortFunc(policies, func(a, b *Policy) int { return strings.Compare(a.Name, b.Name) })
	return policies, unread
}
