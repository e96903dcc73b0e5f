package query

import (
	"context"
	"net/http"
	"slices"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// view is what a visitor sees of the entries that a query asks for: those of the namespaces in which RBAC lets them list,
// or watch, all.
type view struct {
	catalog *index.Index
	who     *visitor
	verb    string
	path    string // the namespace that the path names: it is this one or none
	only    string // the one that the query names, as a path or a parameter; "" for all
	walk    *token // where it is a later page

	judged []string // the namespaces that the scope was judged for
	scope  *access.Scope
	before *access.Scope // the scope before this one, of a watch
}

func newView(catalog *index.Index, who *visitor, verb string, p *parameters) *view {
	v := &view{catalog: catalog, who: who, verb: verb, path: p.path, only: p.path, walk: p.proceed}
	for _, f := range p.Facets {
		if f.Kind == index.Namespace {
			v.only = f.Value
		}
	}
	return v
}

// filtered reads a query string that holds filters alone, and gives what the visitor may see of the catalog as it is.
func filtered(r *http.Request, catalog *index.Index, who *visitor) (*index.Query, *index.Snapshot, error) {
	p, err := parseFilters(r.URL.RawQuery, "")
	if err != nil {
		return nil, nil, err
	}
	v := newView(catalog, who, verbList, p)
	if err := v.restrict(r.Context(), p); err != nil {
		return nil, nil, err
	}
	snapshot, err := v.prepare(r.Context(), &p.Query)
	return &p.Query, snapshot, err
}

// restrict judges the visitor, and leaves of a query what they may see.
func (v *view) restrict(ctx context.Context, p *parameters) error {
	if err := v.judge(ctx); err != nil {
		return err
	}
	v.before = v.scope
	if !v.scope.All {
		p.Predicates = append(p.Predicates, index.Within(v.scope.Key, v.scope.Has))
	}
	return nil
}

// prepare gives the catalog as it is, ready for a query of the visitor's.
func (v *view) prepare(ctx context.Context, q *index.Query) (*index.Snapshot, error) {
	if !v.catalog.Stands(q) {
		leave, err := v.who.gates.scan(ctx, v.who.caller.Name())
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return v.catalog.Prepare(q), nil
}

// at gives the catalog as it was at a version.
func (v *view) at(ctx context.Context, version uint64) (*index.Snapshot, error) {
	if !v.catalog.Remembers(version) {
		leave, err := v.who.gates.scan(ctx, v.who.caller.Name())
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return v.catalog.At(version)
}

// judge finds the scope as it is now. A namespace that the path names must be in it.
func (v *view) judge(ctx context.Context) (err error) {
	switch {
	case v.path != "":
		v.judged, v.scope = nil, access.Everywhere
		return v.who.require(ctx, v.verb, v.path, "")
	case v.only != "":
		return v.judgeOnly(ctx)
	}
	v.judged = v.namespaces()
	if v.scope, err = v.who.caller.Scope(ctx, v.verb, v.judged); err != nil {
		return unanswered()
	}
	return nil
}

// judgeOnly asks about one namespace, which need not cost questions about all.
func (v *view) judgeOnly(ctx context.Context) error {
	verdict, err := v.who.caller.May(ctx, v.verb, v.only, "")
	if err != nil {
		return unanswered()
	}
	v.judged, v.scope = []string{v.only}, access.ScopeOf()
	if verdict.Allowed {
		v.scope = access.ScopeOf(v.only)
	}
	return nil
}

// namespaces are those that hold entries, or held some when a walk began.
func (v *view) namespaces() []string {
	if v.walk != nil {
		if then, err := v.catalog.NamespacesAt(v.walk.Version); err == nil {
			return then
		}
	}
	return v.catalog.Latest().Namespaces() // a walk that can not go on is told so elsewhere
}

// renew judges the visitor of a watch again. An error ends it: when they may no longer see something, or may see more,
// what they were sent is no longer what a listing would show. That a namespace has its first entry or none any more is no
// such change; the watch tells it.
func (v *view) renew(ctx context.Context) error {
	if err := v.who.identify(ctx); err != nil {
		return err
	}
	judged, scope := v.judged, v.scope
	if err := v.judge(ctx); err != nil {
		return err
	}
	v.before = scope
	if v.scope.Key == scope.Key {
		return nil
	}
	lost := slices.ContainsFunc(v.judged, func(namespace string) bool { return scope.Has(namespace) && !v.scope.Has(namespace) })
	gained := slices.ContainsFunc(judged, func(namespace string) bool { return v.scope.Has(namespace) && !scope.Has(namespace) })
	if lost || gained || scope.All || v.scope.All {
		return newProblem(http.StatusGone, "What you may see has changed. List again, and watch from there.")
	}
	return nil
}

// has says whether a watch may tell what happens in a namespace. The last that happens in one is that its entries go.
func (v *view) has(namespace string) bool { return v.scope.Has(namespace) || v.before.Has(namespace) }
