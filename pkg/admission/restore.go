package admission

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// restoreRole is the ClusterRole in config/ that has the verb restore.
const restoreRole = "imagecatalog-restore"

// Restorers knows who may bring an entry back with the stamps that it had.
type Restorers interface {
	// MayRestore says whether the user has the verb restore on the entry.
	MayRestore(ctx context.Context, user *authenticationv1.UserInfo, entry *v1alpha1.CatalogImage) (bool, error)
}

// accessReviews asks the API server, which is to say RBAC.
type accessReviews struct {
	authorizationclient.SubjectAccessReviewInterface
}

func (a accessReviews) MayRestore(ctx context.Context, user *authenticationv1.UserInfo, entry *v1alpha1.CatalogImage) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	answer, err := a.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   user.Username,
		UID:    user.UID,
		Groups: user.Groups,
		Extra:  extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: entry.Namespace,
			Name:      entry.Name,
			Verb:      "restore",
			Group:     v1alpha1.SchemeGroupVersion.Group,
			Version:   v1alpha1.SchemeGroupVersion.Version,
			Resource:  "catalogimages",
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether %q may restore: %w", user.Username, err)
	}
	return answer.Status.Allowed, nil
}
