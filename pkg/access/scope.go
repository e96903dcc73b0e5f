package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Scope is the set of namespaces in which a caller may do something with every object. It never changes.
type Scope struct {
	// All: in every namespace, also in those that nobody has asked about.
	All bool
	// Namespaces are those of the ones asked about, in order; none where All.
	Namespaces []string
	// Key is the same for the same set, and short.
	Key string
}

// Everywhere is the scope of whoever may do it in every namespace.
var Everywhere = &Scope{All: true, Key: "*"}

// ScopeOf is the scope of these namespaces, which are in order.
func ScopeOf(namespaces ...string) *Scope {
	hash := sha256.Sum256([]byte(strings.Join(namespaces, "/"))) // no name holds a slash
	return &Scope{Namespaces: namespaces, Key: string(hash[:])}
}

// Has says whether a namespace is in it.
func (s *Scope) Has(namespace string) bool {
	if s.All {
		return true
	}
	_, found := slices.BinarySearch(s.Namespaces, namespace)
	return found
}

// reach asks where a caller may do something.
type reach struct {
	caller [sha256.Size]byte
	verb   string
}

// territory is a scope with what was asked to find it.
type territory struct {
	scope *Scope
	asked []string
	until time.Time // when the oldest answer in it ends
}

// Scope gives the part of the namespaces in which the caller may do something with every object. They are in order and
// without a double, and nobody changes the slice: given again, it is known to be the same without being read.
//
// Whoever may do it everywhere costs one review, others one for each namespace. Of a list with namespaces that are new,
// only those are asked about.
func (c *Caller) Scope(ctx context.Context, verb string, namespaces []string) (*Scope, error) {
	scopes, key := c.reviewer.scopes, reach{c.id, verb}
	if known, ok := scopes.recall(key); ok && known.covers(namespaces) {
		return known.scope, nil
	}
	flight := fmt.Sprintf("%q %p %d", key, namespaces, len(namespaces))
	found, err := scopes.find(ctx, flight, func(ctx context.Context) (*territory, error) {
		known, ok := scopes.recall(key)
		if ok && known.covers(namespaces) { // the flight before this one has just landed
			return known, nil
		}
		found, err := c.explore(ctx, verb, namespaces, known)
		if err == nil {
			scopes.keep(key, found, found.until)
		}
		return found, err
	})
	if err != nil {
		return nil, err
	}
	return found.scope, nil
}

func (t *territory) covers(namespaces []string) bool {
	if t.scope.All {
		return true
	}
	if len(t.asked) != len(namespaces) {
		return false
	}
	return len(namespaces) == 0 || &t.asked[0] == &namespaces[0] || slices.Equal(t.asked, namespaces)
}

// explore finds the scope from what is known, nil for nothing.
func (c *Caller) explore(ctx context.Context, verb string, namespaces []string, known *territory) (*territory, error) {
	if known == nil {
		everywhere, err := c.ask(ctx, question{caller: c.id, verb: verb})
		if err != nil {
			return nil, err
		}
		known = &territory{scope: ScopeOf(), until: everywhere.until}
		if everywhere.Allowed {
			known.scope = Everywhere
			return known, nil
		}
	}
	allowed := make([]bool, len(namespaces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	for n, namespace := range namespaces {
		if _, asked := slices.BinarySearch(known.asked, namespace); asked {
			allowed[n] = known.scope.Has(namespace)
			continue
		}
		group.Go(func() error {
			verdict, err := c.review(ctx, verb, namespace, "")
			allowed[n] = verdict.Allowed
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var within []string
	for n, namespace := range namespaces {
		if allowed[n] {
			within = append(within, namespace)
		}
	}
	// The first answer in it is the oldest: those that come later end with it.
	return &territory{scope: ScopeOf(within...), asked: namespaces, until: known.until}, nil
}
