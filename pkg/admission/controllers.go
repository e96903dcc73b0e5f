package admission

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/leaderelection"
	"knative.dev/pkg/logging"
	o11yconfigmap "knative.dev/pkg/observability/configmap"
	"knative.dev/pkg/system"
	"knative.dev/pkg/webhook/configmaps"
	"knative.dev/pkg/webhook/resourcesemantics"
	"knative.dev/pkg/webhook/resourcesemantics/defaulting"
	"knative.dev/pkg/webhook/resourcesemantics/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogclient "imagecatalog.dev/catalog/pkg/client/injection/client"
	"imagecatalog.dev/catalog/pkg/registry"
)

// The webhook configurations in config/, by name; knative fills in their rules and their CA bundle.
const (
	defaultingName = "defaulting.webhook." + catalog.GroupName
	validationName = "validation.webhook." + catalog.GroupName
	configName     = "config.webhook." + catalog.GroupName
)

// pruned: the schema in the CRD has removed unknown fields before the webhook sees an object. Refusing them here
// would refuse objects that another version of the catalog has stored.
const disallowUnknownFields = false

var (
	imageKind  = v1alpha1.SchemeGroupVersion.WithKind("CatalogImage")
	policyKind = v1alpha1.SchemeGroupVersion.WithKind("CatalogPolicy")
)

func newAdmittedImage(ctx context.Context, registries Registries) *admittedImage {
	return &admittedImage{
		restorers:  accessReviews{kubeclient.Get(ctx).AuthorizationV1().SubjectAccessReviews()},
		registries: registries,
		now:        time.Now,
	}
}

// NewDefaulting constructs the controller of the mutating webhook, which refuses nothing. Of policies nothing is defaulted.
func NewDefaulting(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	kinds := map[schema.GroupVersionKind]resourcesemantics.GenericCRD{imageKind: newAdmittedImage(ctx, nil)}
	return guard(defaulting.NewAdmissionController(ctx, defaultingName, "/defaulting", kinds, nil, disallowUnknownFields))
}

// NewValidation constructs the controller of the validating webhook. It follows the settings for registries.
func NewValidation(ctx context.Context, settings configmap.Watcher) *controller.Impl {
	watcher, ok := settings.(configmap.DefaultingWatcher)
	if !ok {
		logging.FromContext(ctx).Fatalf("Following the settings for registries: %T cannot do without a ConfigMap", settings)
	}
	keeper := claim.NewKeeper(
		kubeclient.Get(ctx).CoordinationV1().Leases(system.Namespace()),
		claim.LiveEntries(catalogclient.Get(ctx).ImagecatalogV1alpha1()),
	)
	kinds := map[schema.GroupVersionKind]resourcesemantics.GenericCRD{
		imageKind:  newAdmittedImage(ctx, followRegistries(ctx, watcher)),
		policyKind: &admittedPolicy{},
	}
	callbacks := map[schema.GroupVersionKind]validation.Callback{imageKind: RefuseDuplicates(keeper)}
	return guard(validation.NewAdmissionController(ctx, validationName, "/validation", kinds, nil, disallowUnknownFields, callbacks))
}

// NewConfigValidation constructs the controller that validates the catalog's own config maps.
func NewConfigValidation(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	return guard(configmaps.NewAdmissionController(ctx, configName, "/config-validation", configmap.Constructors{
		leaderelection.ConfigMapName(): leaderelection.NewConfigFromConfigMap,
		logging.ConfigMapName():        logging.NewConfigFromConfigMap,
		o11yconfigmap.Name():           o11yconfigmap.Parse,
		registry.ConfigMapName:         parseRegistries,
	}))
}
