package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"
	"knative.dev/pkg/webhook"
	"sigs.k8s.io/yaml"
)

// apiServer does with an object what the API server does between a request and etcd, by its own libraries: it decodes
// and prunes, asks the defaulting webhook, holds the object against the schema of config/, and asks the validating one.
type apiServer struct {
	props      apiextensionsv1.JSONSchemaProps
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator

	defaultingContext, validationContext context.Context
	defaulting, validating               webhook.AdmissionController
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{}
	content, err := os.ReadFile("../../config/300-catalogimage.yaml")
	require.NoError(t, err)
	var crd apiextensionsv1.CustomResourceDefinition
	require.NoError(t, yaml.UnmarshalStrict(content, &crd))
	s.props = *crd.Spec.Versions[0].Schema.OpenAPIV3Schema

	var internal apiextensions.JSONSchemaProps
	require.NoError(t, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&s.props, &internal, nil))
	s.structural, err = structuralschema.NewStructural(&internal)
	require.NoError(t, err)
	s.schema, _, err = validation.NewSchemaValidator(&internal)
	require.NoError(t, err)
	s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)

	s.defaultingContext, s.defaulting = quietController(t, NewDefaulting)
	s.validationContext, s.validating = quietController(t, NewValidation)
	return s
}

// quietController logs nothing: of a million requests nobody reads it.
func quietController(t *testing.T, construct constructor) (context.Context, webhook.AdmissionController) {
	t.Helper()
	ctx, controller := newController(t, construct)
	return logging.WithLogger(ctx, zap.NewNop().Sugar()), controller
}

// decode is what becomes of a document: as a request, or as it comes from etcd, where what is wrong with its metadata
// is dropped.
func (s *apiServer) decode(document []byte, stored bool) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(document); err != nil {
		return nil, err
	}
	if object.GetKind() != "CatalogImage" || object.GetAPIVersion() != "imagecatalog.dev/v1alpha1" {
		return nil, errors.New("it is of another kind")
	}
	metadata, found, err := objectmeta.GetObjectMeta(object.Object, stored)
	if err != nil {
		return nil, err
	}
	pruning.Prune(object.Object, s.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, s.structural)
	defaulting.Default(object.Object, s.structural)
	if !found {
		return object, nil
	}
	return object, objectmeta.SetObjectMeta(object.Object, metadata)
}

// create returns what is stored, or why nothing is. The submitted object is as it was decoded.
func (s *apiServer) create(document []byte) (submitted, stored *unstructured.Unstructured, err error) {
	if submitted, err = s.decode(document, false); err != nil {
		return nil, nil, err
	}
	submitted.SetNamespace("radar")
	stored, err = s.mutate(submitted, nil)
	if err != nil {
		return nil, nil, err
	}
	delete(stored.Object, "status")
	stored.SetGeneration(1)
	stored.SetDeletionTimestamp(nil)
	stored.SetCreationTimestamp(metav1.Now())
	stored.SetUID("a-new-one")
	stored.SetResourceVersion("")
	if err := s.valid(stored, nil).ToAggregate(); err != nil {
		return nil, nil, err
	}
	return submitted, stored, s.validate(stored, nil)
}

// update is create for an object that is there already, as before.
func (s *apiServer) update(before *unstructured.Unstructured, document []byte) (submitted, stored *unstructured.Unstructured, err error) {
	if submitted, err = s.decode(document, false); err != nil {
		return nil, nil, err
	}
	submitted.SetNamespace(before.GetNamespace())
	submitted.SetName(before.GetName())
	submitted.SetUID(before.GetUID())
	submitted.SetResourceVersion(before.GetResourceVersion())
	submitted.SetCreationTimestamp(before.GetCreationTimestamp())
	submitted.SetDeletionTimestamp(before.GetDeletionTimestamp())
	submitted.SetDeletionGracePeriodSeconds(before.GetDeletionGracePeriodSeconds())
	if stored, err = s.mutate(submitted, before); err != nil {
		return nil, nil, err
	}
	delete(stored.Object, "status")
	if status, ok := before.Object["status"]; ok {
		stored.Object["status"] = status
	}
	stored.SetGeneration(before.GetGeneration())
	if err := s.valid(stored, before).ToAggregate(); err != nil {
		return nil, nil, err
	}
	return submitted, stored, s.validate(stored, before)
}

// mutate asks the defaulting webhook, and decodes what it made of the object.
func (s *apiServer) mutate(object, before *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	response, err := ask(s.defaultingContext, s.defaulting, object, before)
	if err != nil {
		return nil, err
	}
	document, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if len(response.Patch) > 0 {
		patch, err := jsonpatch.DecodePatch(response.Patch)
		if err != nil {
			return nil, fmt.Errorf("PATCH: %w", err)
		}
		if document, err = patch.Apply(document); err != nil {
			return nil, fmt.Errorf("PATCH: %w", err)
		}
	}
	return s.decode(document, false)
}

func (s *apiServer) validate(object, before *unstructured.Unstructured) error {
	_, err := ask(s.validationContext, s.validating, object, before)
	client := kubeclient.Get(s.validationContext)
	if err := client.CoordinationV1().Leases(system.Namespace()).DeleteCollection(s.validationContext, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	client.ClearActions()
	return err
}

func ask(ctx context.Context, controller webhook.AdmissionController, object, before *unstructured.Unstructured) (*admissionv1.AdmissionResponse, error) {
	after, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	r := request(admissionv1.Create, "", string(after))
	if before != nil {
		old, err := before.MarshalJSON()
		if err != nil {
			return nil, err
		}
		r = request(admissionv1.Update, string(old), string(after))
	}
	r.Namespace, r.Name = object.GetNamespace(), object.GetName()
	response := controller.Admit(ctx, r)
	if !response.Allowed {
		return nil, errors.New(response.Result.Message)
	}
	return response, nil
}

// valid finds what the API server itself refuses. What an update leaves as it was is no reason to (KEP-4008).
func (s *apiServer) valid(object, before *unstructured.Unstructured) field.ErrorList {
	root := field.NewPath("metadata")
	var errs field.ErrorList
	var old any
	var options []cel.Option
	if before == nil {
		errs = append(errs, apivalidation.ValidateObjectMetaAccessor(object, true, apivalidation.NameIsDNSSubdomain, root)...)
		errs = append(errs, validation.ValidateCustomResource(nil, object.Object, s.schema)...)
	} else {
		same := common.NewCorrelatedObject(object.Object, before.Object, &model.Structural{Structural: s.structural})
		old, options = before.Object, []cel.Option{cel.WithRatcheting(same)}
		errs = append(errs, apivalidation.ValidateObjectMetaAccessorUpdate(object, before, root)...)
		errs = append(errs, validation.ValidateCustomResourceUpdate(nil, object.Object, before.Object, s.schema, validation.WithRatcheting(same))...)
	}
	if before == nil || len(listtype.ValidateListSetsAndMaps(nil, s.structural, before.Object)) == 0 {
		errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object.Object)...)
	}
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return errs // and no rule is asked
		}
	}
	broken, _ := s.rules.Validate(context.Background(), nil, s.structural, object.Object, old, celconfig.RuntimeCELCostBudget, options...)
	return append(errs, broken...)
}

// encoded is an object as JSON.
func encoded(t *testing.T, object any) []byte {
	t.Helper()
	document, err := json.Marshal(object)
	require.NoError(t, err)
	return document
}
