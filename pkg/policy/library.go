package policy

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/labels"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Stored are the policies that there are. A lister is one.
type Stored interface {
	List(labels.Selector) ([]*v1alpha1.CatalogPolicy, error)
}

// Library keeps what was read of stored policies, each once for every version of it.
type Library struct {
	stored Stored

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
func NewLibrary(stored Stored) *Library {
	return &Library{stored: stored, read: map[string]volume{}}
}

// Selecting gives the policies that are for images of a repository in a namespace with such labels, by name. A policy of which
// something cannot be read is among them, so far as what it is for can. The error is ErrKeysNotRead, of one of them: then
// nobody can judge the image yet.
func (l *Library) Selecting(repository name.Repository, namespace map[string]string) ([]*Policy, error) {
	return l.selecting(func(p *Policy) bool { return p.Selects(repository, namespace) })
}

// SelectingImage gives the policies that are for images of a repository in some namespace, by name, whether or not anybody
// can judge by them yet.
func (l *Library) SelectingImage(repository name.Repository) ([]*Policy, error) {
	selected, err := l.selecting(func(p *Policy) bool { return p.SelectsImage(repository) })
	if errors.Is(err, ErrKeysNotRead) {
		err = nil
	}
	return selected, err
}

func (l *Library) selecting(selects func(*Policy) bool) (selected []*Policy, err error) {
	all, err := l.all()
	if err != nil {
		return nil, err
	}
	for _, each := range all {
		if !selects(each.policy) {
			continue
		}
		selected = append(selected, each.policy)
		if errors.Is(each.err, ErrKeysNotRead) {
			err = each.err
		}
	}
	return selected, err
}

// all gives the policies as they are stored now, by name, and forgets those that are not any more.
func (l *Library) all() ([]volume, error) {
	stored, err := l.stored.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	read := make(map[string]volume, len(stored))
	volumes := make([]volume, 0, len(stored))
	for _, each := range stored {
		known, ok := l.read[each.Name]
		if version := string(each.UID) + "/" + each.ResourceVersion; !ok || known.version != version {
			known = volume{version: version}
			known.policy, known.err = Read(each)
		}
		read[each.Name] = known
		volumes = append(volumes, known)
	}
	l.read = read
	slices.SortFunc(volumes, func(a, b volume) int { return strings.Compare(a.policy.Name, b.policy.Name) })
	return volumes, nil
}
