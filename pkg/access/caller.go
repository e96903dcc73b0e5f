package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Caller is somebody the API server knows.
type Caller struct {
	reviewer *Reviewer
	user     authenticationv1.UserInfo
	id       [sha256.Size]byte // of all that a right may depend on
}

func newCaller(r *Reviewer, user authenticationv1.UserInfo) *Caller {
	extra := make(map[string][]string, len(user.Extra)) // of a type that is printed value by value
	for key, values := range user.Extra {
		extra[key] = values
	}
	all := fmt.Appendf(nil, "%q %q %q %q", user.Username, user.UID, user.Groups, extra) // quoted, and the map in order
	return &Caller{reviewer: r, user: user, id: sha256.Sum256(all)}
}

// Name is the user's, as RoleBindings name it.
func (c *Caller) Name() string { return c.user.Username }

// Verdict says whether a caller may do something, and, where the API server says it, why or why not.
type Verdict struct {
	Allowed bool
	Reason  string

	until time.Time
}

// question is about one caller, who wants to do something with one object, with all objects of a namespace (no name), or
// with all objects.
type question struct {
	caller                [sha256.Size]byte
	verb, namespace, name string
}

// May says whether the caller may do something with an object, with all of a namespace (name is empty), or with all
// there are (namespace is empty, too). Whoever may do it with all may do it with each, so all are asked about first:
// one answer then serves every object.
func (c *Caller) May(ctx context.Context, verb, namespace, name string) (verdict Verdict, err error) {
	widest := question{caller: c.id, verb: verb}
	verdict, err = c.ask(ctx, widest)
	if err != nil || verdict.Allowed || namespace == "" {
		return verdict, err
	}
	wide := widest
	wide.namespace = namespace
	verdict, err = c.ask(ctx, wide)
	if err != nil || verdict.Allowed || name == "" {
		return verdict, err
	}
	wide.name = name
	return c.ask(ctx, wide)
}

func (c *Caller) ask(ctx context.Context, q question) (Verdict, error) {
	verdicts := c.reviewer.verdicts
	if verdict, ok := verdicts.recall(q); ok {
		return verdict, nil
	}
	return verdicts.find(ctx, fmt.Sprintf("%q", q), func(ctx context.Context) (Verdict, error) {
		if verdict, ok := verdicts.recall(q); ok { // the flight before this one has just landed
			return verdict, nil
		}
		verdict, err := c.review(ctx, q.verb, q.namespace, q.name)
		if err == nil {
			verdicts.keep(q, verdict, verdict.until)
		}
		return verdict, err
	})
}

func (c *Caller) review(ctx context.Context, verb, namespace, name string) (Verdict, error) {
	r := c.reviewer
	request := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: c.user.Username, UID: c.user.UID, Groups: c.user.Groups, Extra: extraOf(c.user),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: r.resource.Group, Resource: r.resource.Resource, Namespace: namespace, Name: name,
		},
	}}
	verdict := Verdict{until: time.Now().Add(TTL)}
	err := r.inTurn(ctx, r.rightTurns, "what the caller may see", func(ctx context.Context) error {
		answer, err := r.rights.Create(ctx, request, metav1.CreateOptions{})
		if err == nil {
			verdict.Allowed, verdict.Reason = answer.Status.Allowed, answer.Status.Reason
		}
		return err
	})
	return verdict, err
}

func extraOf(user authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	return extra
}
