package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TTL is how long an answer of the API server is believed.
const TTL = 10 * time.Second

const (
	// patience is what one review may take, with the waiting for its turn.
	patience = 5 * time.Second
	// atATime is how many reviews of each kind are under way. Tokens have turns of their own, so that whoever tries
	// made-up ones delays only those who are not known yet.
	atATime = 32

	maxTokens   = 4096
	maxVerdicts = 16384
	maxScopes   = 4096
)

// TokenReviews is the part of the client of authentication.k8s.io that is used.
type TokenReviews interface {
	Create(context.Context, *authenticationv1.TokenReview, metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// SubjectAccessReviews is the part of the client of authorization.k8s.io that is used.
type SubjectAccessReviews interface {
	Create(context.Context, *authorizationv1.SubjectAccessReview, metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// Reviewer has the API server judge who asks for one resource. Its clients should have no limit of their own.
type Reviewer struct {
	tokens    TokenReviews
	rights    SubjectAccessReviews
	resource  schema.GroupResource
	anonymous *Caller // nil: nobody is let in without a token
	logger    *zap.SugaredLogger

	identities *memory[[sha256.Size]byte, identity] // by the token's hash
	verdicts   *memory[question, Verdict]
	scopes     *memory[reach, *territory]

	tokenTurns, rightTurns chan struct{}
	complaints             rate.Sometimes
}

// identity is what a token stands for: a caller, or nobody.
type identity struct {
	caller  *Caller
	refusal *Unauthenticated
}

// Unauthenticated is the error for a request that does not say who asks, or says so with a token that nobody has.
type Unauthenticated struct {
	Reason string // of the API server; empty where no token was sent
}

// Error implements error.
func (u *Unauthenticated) Error() string {
	if u.Reason == "" {
		return "no token was sent"
	}
	return u.Reason
}

// NewReviewer gives a reviewer of access to a resource. With anonymous, whoever sends no token is the API server's
// system:anonymous, and what that one may do is asked like anybody's.
func NewReviewer(tokens TokenReviews, rights SubjectAccessReviews, resource schema.GroupResource, anonymous bool, logger *zap.SugaredLogger) *Reviewer {
	r := &Reviewer{
		tokens: tokens, rights: rights, resource: resource, logger: logger,
		identities: newMemory[[sha256.Size]byte, identity](maxTokens),
		verdicts:   newMemory[question, Verdict](maxVerdicts),
		scopes:     newMemory[reach, *territory](maxScopes),
		tokenTurns: make(chan struct{}, atATime),
		rightTurns: make(chan struct{}, atATime),
		complaints: rate.Sometimes{Interval: TTL},
	}
	if anonymous {
		r.anonymous = newCaller(r, authenticationv1.UserInfo{Username: "system:anonymous", Groups: []string{"system:unauthenticated"}})
	}
	return r
}

// Authenticate gives whom a bearer token belongs to; "" is no token. The error is an *Unauthenticated, or says that the
// API server gave no answer.
func (r *Reviewer) Authenticate(ctx context.Context, token string) (*Caller, error) {
	if token == "" {
		return r.nobody()
	}
	hash := sha256.Sum256([]byte(token))
	who, ok := r.identities.recall(hash)
	if !ok {
		var err error
		who, err = r.identities.find(ctx, string(hash[:]), func(ctx context.Context) (identity, error) {
			return r.identify(ctx, hash, token)
		})
		if err != nil {
			return nil, err
		}
	}
	if who.refusal != nil {
		return nil, who.refusal
	}
	return who.caller, nil
}

func (r *Reviewer) nobody() (*Caller, error) {
	if r.anonymous == nil {
		return nil, &Unauthenticated{}
	}
	return r.anonymous, nil
}

func (r *Reviewer) identify(ctx context.Context, hash [sha256.Size]byte, token string) (identity, error) {
	if who, ok := r.identities.recall(hash); ok { // the flight before this one has just landed
		return who, nil
	}
	asked := time.Now()
	var review *authenticationv1.TokenReview
	err := r.inTurn(ctx, r.tokenTurns, "whose the token is", func(ctx context.Context) (err error) {
		review, err = r.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return identity{}, err
	}
	who := r.identityIn(review.Status)
	r.identities.keep(hash, who, asked.Add(TTL))
	return who, nil
}

func (r *Reviewer) identityIn(status authenticationv1.TokenReviewStatus) identity {
	if !status.Authenticated {
		reason := status.Error
		if reason == "" {
			reason = "invalid bearer token"
		}
		return identity{refusal: &Unauthenticated{Reason: reason}}
	}
	return identity{caller: newCaller(r, status.User)}
}

// inTurn sends a review when its turn has come. Why it had no answer is logged here, and seldom: an API server that is
// away is no news for each request. Callers are told only what was asked.
func (r *Reviewer) inTurn(ctx context.Context, turns chan struct{}, what string, review func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	select {
	case turns <- struct{}{}:
		err = review(ctx)
		<-turns
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	r.complaints.Do(func() {
		r.logger.Errorw("The API server does not answer "+what+"; requests that depend on it get 503", zap.Error(err))
	})
	return fmt.Errorf("asking the API server %s: %w", what, err)
}
