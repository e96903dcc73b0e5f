package main

import (
	"context"
	"strings"

	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// credentials are what a client of the query server sends, of the length that the token of a service account has. Every
// server is sent them, so that those that are compared read the same.
var credentials = "Bearer " + strings.Repeat("t", 900)

// newReviewer stands in for the API server's verdicts, as bench's source of entries does for its watch: whoever has a token
// may see everything. What is measured is a caller who is known.
func newReviewer() *access.Reviewer {
	return access.NewReviewer(welcome{}, open{}, v1alpha1.Resource("catalogimages"), false, zap.NewNop().Sugar())
}

type welcome struct{}

func (welcome) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: "bench"}}
	return review, nil
}

type open struct{}

func (open) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	review.Status.Allowed = true
	return review, nil
}
