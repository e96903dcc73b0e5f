package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// newReviewer has the API server of ctx say who may see entries.
func newReviewer(ctx context.Context, anonymous bool) (*access.Reviewer, error) {
	config := rest.CopyConfig(injection.GetConfig(ctx))
	config.QPS = -1 // the reviewer has limits of its own, and the API server
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	tokens, err := authentication.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	rights, err := authorization.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return access.NewReviewer(tokens.TokenReviews(), rights.SubjectAccessReviews(),
		v1alpha1.Resource("catalogimages"), anonymous, logging.FromContext(ctx)), nil
}
