package admission

import (
	"context"
	"encoding/json"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/apis/duck"
	"knative.dev/pkg/webhook/resourcesemantics"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// admittedImage is a CatalogImage as the webhook sees it. It tells knative what the kind itself has no reason to
// know: which requests it is for, that an admitted object must not be rewritten, and who wrote it.
type admittedImage struct {
	v1alpha1.CatalogImage

	// unreadable is why the object is none of the kind; it has only its metadata then. The schema refuses nearly all
	// such objects, and says better where; it is asked after the defaults and before the validation.
	unreadable error

	restorers  Restorers
	registries Registries
	now        func() time.Time
}

var (
	_ resourcesemantics.GenericCRD         = (*admittedImage)(nil)
	_ resourcesemantics.VerbLimited        = (*admittedImage)(nil)
	_ resourcesemantics.SubResourceLimited = (*admittedImage)(nil)
	_ duck.Populatable                     = (*admittedImage)(nil)
	_ json.Unmarshaler                     = (*admittedImage)(nil)
)

// SupportedVerbs leaves deleting alone: with the webhook gone, entries, namespaces and the installation can go too.
func (*admittedImage) SupportedVerbs() []admissionregistrationv1.OperationType {
	return []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
}

// SupportedSubResources leaves the status to the controller.
func (*admittedImage) SupportedSubResources() []string { return []string{""} }

// Populate makes the kind a duck type in knative's eyes, whose objects it does not patch into the form that a round
// trip through Go gives them ("60m" would become "1h0m0s"): whoever compares the spec with its source finds it as it was.
func (*admittedImage) Populate() {}

// GetListType implements duck.Populatable.
func (*admittedImage) GetListType() runtime.Object { return &v1alpha1.CatalogImageList{} }

// DeepCopyObject implements runtime.Object.
func (i *admittedImage) DeepCopyObject() runtime.Object {
	duplicate := *i
	i.DeepCopyInto(&duplicate.CatalogImage)
	return &duplicate
}

// UnmarshalJSON implements json.Unmarshaler. An object that is none of the kind is no error here: see unreadable.
func (i *admittedImage) UnmarshalJSON(document []byte) error {
	i.unreadable = json.Unmarshal(document, &i.CatalogImage)
	if i.unreadable != nil {
		return i.unmarshalMetadata(document)
	}
	return nil
}

func (i *admittedImage) unmarshalMetadata(document []byte) error {
	var head struct {
		metav1.TypeMeta
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(document, &head); err != nil {
		return err
	}
	i.CatalogImage = v1alpha1.CatalogImage{TypeMeta: head.TypeMeta, ObjectMeta: head.Metadata}
	return nil
}

func (i *admittedImage) readable() bool { return i.unreadable == nil }

// SetDefaults implements apis.Defaultable.
func (i *admittedImage) SetDefaults(ctx context.Context) {
	if !i.readable() {
		return
	}
	i.CatalogImage.SetDefaults(plain(ctx))
	if user := apis.GetUserInfo(ctx); user != nil { // none when knative defaults the stored object of an update
		newWrite(user.Username, i.now(), stored(ctx), i).stamp(&i.CatalogImage)
	}
}

// Validate implements apis.Validatable.
func (i *admittedImage) Validate(ctx context.Context) *apis.FieldError {
	if !i.readable() {
		return i.refuseUnreadable(ctx)
	}
	return i.CatalogImage.Validate(plain(ctx)).Also(i.validateRepository(ctx)).Also(i.validateStamps(ctx))
}

// refuseUnreadable keeps out what the controller could not read: one such object, and it could list none. Only what is
// stored already may lose the finalizers that keep it from going.
func (i *admittedImage) refuseUnreadable(ctx context.Context) *apis.FieldError {
	if before := stored(ctx); i.DeletionTimestamp != nil && before != nil && !before.readable() {
		return nil
	}
	return &apis.FieldError{
		Message: "cannot be read",
		Paths:   []string{v1alpha1.SchemeGroupVersion.String() + " CatalogImage"},
		Details: i.unreadable.Error(),
	}
}

// validateStamps asks who may restore only when something is carried in: ordinary requests do without.
func (i *admittedImage) validateStamps(ctx context.Context) *apis.FieldError {
	user := apis.GetUserInfo(ctx)
	if user == nil {
		return nil
	}
	write := newWrite(user.Username, i.now(), stored(ctx), i)
	if err := write.refuseTime(&i.CatalogImage); err != nil {
		return err
	}
	foreign := write.foreign(&i.CatalogImage)
	if len(foreign) == 0 {
		return nil
	}
	allowed, err := i.restorers.MayRestore(ctx, user, &i.CatalogImage)
	if err != nil {
		return stampError(err.Error(), foreign[0], "")
	}
	var refusals *apis.FieldError
	for _, annotation := range foreign {
		if !allowed || i.Annotations[annotation] == "" {
			refusals = refusals.Also(write.refuseForeign(annotation, &i.CatalogImage))
		}
	}
	return refusals
}

// stored is the stored object of an update; nil in a create.
func stored(ctx context.Context) *admittedImage {
	before, _ := apis.GetBaseline(ctx).(*admittedImage)
	return before
}

// plain gives the kind the stored object of an update in its own type, if it is of the kind.
func plain(ctx context.Context) context.Context {
	if before := stored(ctx); before != nil && before.readable() {
		return apis.WithinUpdate(ctx, &before.CatalogImage)
	}
	return ctx
}
