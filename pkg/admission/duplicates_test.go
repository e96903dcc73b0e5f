package admission

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

// recordedClaims notes what it is asked, and answers with its error.
type recordedClaims struct {
	err   error
	asked []string
}

func (c *recordedClaims) Take(_ context.Context, claim claim.Claim) error {
	return c.record("take", claim)
}

func (c *recordedClaims) Check(_ context.Context, claim claim.Claim) error {
	return c.record("check", claim)
}

func (c *recordedClaims) record(verb string, claim claim.Claim) error {
	c.asked = append(c.asked, strings.Join([]string{verb, claim.Identity, "for", claim.Namespace + "/" + claim.Holder}, " "))
	return c.err
}

func image(reference string) func(*v1alpha1.CatalogImage) {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Image = reference }
}

func deleting(i *v1alpha1.CatalogImage) {
	i.DeletionTimestamp, i.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"somebody.example/keeps-it"}
}

func asUnstructured(t *testing.T, entry *admittedImage) *unstructured.Unstructured {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&entry.CatalogImage)
	require.NoError(t, err)
	return &unstructured.Unstructured{Object: object}
}

func TestWhichRequestsTakeAClaim(t *testing.T) {
	create := apis.WithinCreate(t.Context())
	updating := func(before *admittedImage) context.Context { return apis.WithinUpdate(t.Context(), before) }
	pin := "@sha256:" + strings.Repeat("a", 64)
	for title, test := range map[string]struct {
		ctx   context.Context
		entry *admittedImage
		want  []string
	}{
		"a create":                          {create, admitted(), []string{"take quay.io/acme/autosd:1 for radar/autosd"}},
		"a create, tried":                   {apis.WithDryRun(create), admitted(), []string{"check quay.io/acme/autosd:1 for radar/autosd"}},
		"a create, pinned":                  {create, admitted(image("quay.io/acme/autosd:1" + pin)), []string{"take quay.io/acme/autosd" + pin + " for radar/autosd"}},
		"another image":                     {updating(admitted()), admitted(image("quay.io/acme/autosd:2")), []string{"take quay.io/acme/autosd:2 for radar/autosd"}},
		"another, tried":                    {apis.WithDryRun(updating(admitted())), admitted(image("quay.io/acme/autosd:2")), []string{"check quay.io/acme/autosd:2 for radar/autosd"}},
		"a new pin":                         {updating(admitted()), admitted(image("quay.io/acme/autosd:1" + pin)), []string{"take quay.io/acme/autosd" + pin + " for radar/autosd"}},
		"another spelling":                  {updating(admitted(image("nginx"))), admitted(image("docker.io/library/nginx:latest")), nil},
		"another tag beside the pin":        {updating(admitted(image("a.example/b:1" + pin))), admitted(image("a.example/b:2" + pin)), nil},
		"another attempt at the same":       {updating(admitted()), admitted(func(i *v1alpha1.CatalogImage) { i.UID = "new" }), nil},
		"another channel":                   {updating(admitted()), admitted(channel("prod")), nil},
		"another, tried, of the same image": {apis.WithDryRun(updating(admitted())), admitted(channel("prod")), nil},
		"the stored one names no image":     {updating(admitted(image("UPPER/case:1"))), admitted(), []string{"take quay.io/acme/autosd:1 for radar/autosd"}},
		"of no image, as before":            {updating(admitted(image("UPPER/case:1"))), admitted(image("UPPER/case:1"), channel("prod")), nil},
		"no stored object":                  {updating(nil), admitted(), []string{"take quay.io/acme/autosd:1 for radar/autosd"}},
		"a finalizer goes":                  {updating(admitted()), admitted(deleting), nil},
		"a create of what is deleted":       {create, admitted(deleting), nil},
	} {
		t.Run(title, func(t *testing.T) {
			claims := &recordedClaims{}
			require.NoError(t, duplicates{claims}.refuse(test.ctx, asUnstructured(t, test.entry)))
			assert.Equal(t, test.want, claims.asked)
		})
	}
}

func TestTheClaimsErrorIsTheAnswer(t *testing.T) {
	for title, ctx := range map[string]context.Context{
		"create":  apis.WithinCreate(t.Context()),
		"dry run": apis.WithDryRun(t.Context()),
	} {
		held := &claim.HeldError{By: "theirs"}
		assert.Same(t, held, duplicates{&recordedClaims{err: held}}.refuse(ctx, asUnstructured(t, admitted())), title)
	}
	assert.NoError(t, duplicates{&recordedClaims{err: errors.New("down")}}.refuse(
		apis.WithinUpdate(t.Context(), admitted()), asUnstructured(t, admitted())), "an outage of the claims stops no other update")
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	claims := &recordedClaims{}
	refuse := duplicates{claims}.refuse
	object := asUnstructured(t, admitted(image("UPPER/case:1")))
	assert.ErrorContains(t, refuse(t.Context(), object), "parsing spec.image: ")
	require.NoError(t, unstructured.SetNestedField(object.Object, "many", "spec", "metadata", "targets"))
	assert.ErrorContains(t, refuse(t.Context(), object), "decoding the entry: ")
	assert.Empty(t, claims.asked)
}
