package access

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var images = schema.GroupResource{Group: "imagecatalog.dev", Resource: "catalogimages"}

// apiServer knows tokens and what their users may do, and counts what it was asked.
type apiServer struct {
	mutex  sync.Mutex
	users  map[string]authenticationv1.UserInfo // by token
	rights map[string]bool                      // by "user verb namespace name"
	down   bool
	takes  time.Duration

	asked          []string
	busy, mostBusy int
}

func newAPIServer() *apiServer {
	return &apiServer{users: map[string]authenticationv1.UserInfo{}, rights: map[string]bool{}}
}

var errDown = errors.New("connection refused")

// begin counts a review, and gives what ends it.
func (a *apiServer) begin(what string) (end func(), err error) {
	a.mutex.Lock()
	a.asked = append(a.asked, what)
	a.busy++
	a.mostBusy = max(a.mostBusy, a.busy)
	takes := a.takes
	a.mutex.Unlock()
	time.Sleep(takes)
	a.mutex.Lock()
	if a.down {
		err = errDown
	}
	return func() { a.busy--; a.mutex.Unlock() }, err
}

func (a *apiServer) change(do func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	do()
}

// questions are those since the last time.
func (a *apiServer) questions() []string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

type tokenReviews struct{ *apiServer }

func (a tokenReviews) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	end, err := a.begin("token " + review.Spec.Token)
	defer end()
	if err != nil {
		return nil, err
	}
	answer := &authenticationv1.TokenReview{}
	answer.Status.User, answer.Status.Authenticated = a.users[review.Spec.Token], a.users[review.Spec.Token].Username != ""
	if !answer.Status.Authenticated {
		answer.Status.Error = "token is unknown"
	}
	return answer, nil
}

type accessReviews struct{ *apiServer }

func (a accessReviews) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	wants := review.Spec.ResourceAttributes
	what := strings.Join([]string{review.Spec.User, wants.Verb, wants.Namespace, wants.Name}, " ")
	end, err := a.begin(what)
	defer end()
	if err != nil {
		return nil, err
	}
	answer := &authorizationv1.SubjectAccessReview{}
	answer.Status.Allowed = a.rights[what] && wants.Group == images.Group && wants.Resource == images.Resource
	for _, group := range review.Spec.Groups {
		answer.Status.Allowed = answer.Status.Allowed || a.rights[strings.Replace(what, review.Spec.User, group, 1)]
	}
	return answer, nil
}

func reviewerOf(a *apiServer, anonymous bool) *Reviewer {
	return NewReviewer(tokenReviews{a}, accessReviews{a}, images, anonymous, zap.NewNop().Sugar())
}

// known gives the caller of a token that the API server is made to know.
func known(t testing.TB, r *Reviewer, a *apiServer, name string, groups ...string) *Caller {
	t.Helper()
	a.change(func() { a.users[name+"-token"] = authenticationv1.UserInfo{Username: name, Groups: groups} })
	caller, err := r.Authenticate(t.Context(), name+"-token")
	require.NoError(t, err)
	return caller
}
