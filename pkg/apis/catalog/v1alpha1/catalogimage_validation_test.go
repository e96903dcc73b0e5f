package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// problems are the errors one by one, each as "path: message: advice".
func problems(err *apis.FieldError) []string {
	found := []string{}
	for _, e := range err.WrappedErrors() {
		found = append(found, strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", strings.Join(e.Paths, ","), e.Message, e.Details), ": "))
	}
	return found
}

func TestValidateAccepts(t *testing.T) {
	for title, spec := range map[string]v1alpha1.CatalogImageSpec{
		"an image alone":       {Image: "quay.io/acme/autosd:1"},
		"a pin beside a tag":   {Image: "quay.io/acme/autosd:1", Digest: digestA},
		"a pin in the image":   {Image: "quay.io/acme/autosd:1@" + digestA},
		"the same pin twice":   {Image: "quay.io/acme/autosd@" + digestA, Digest: digestA},
		"Docker's short names": {Image: "nginx"},
	} {
		entry := v1alpha1.CatalogImage{Spec: spec}
		assert.Empty(t, problems(entry.Validate(apis.WithinCreate(t.Context()))), title)
	}
}

func TestValidateRefuses(t *testing.T) {
	const write = "write a reference such as quay.io/acme/autosd:rpi4-1.2"
	for title, test := range map[string]struct {
		spec v1alpha1.CatalogImageSpec
		want string
	}{
		"no reference": {
			v1alpha1.CatalogImageSpec{Image: "UPPER/case:1"},
			"spec.image: invalid value: UPPER/case:1: " + write + " (repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: UPPER/case)",
		},
		"no reference, pinned": {
			v1alpha1.CatalogImageSpec{Image: "UPPER/case:1", Digest: digestA},
			"spec.image: invalid value: UPPER/case:1: " + write + " (repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: UPPER/case)",
		},
		"a scheme": {
			v1alpha1.CatalogImageSpec{Image: "https://quay.io/acme/autosd:1"},
			"spec.image: invalid value: https://quay.io/acme/autosd:1: " + write + " (a reference has no scheme: leave out https://)",
		},
		"a digest alone": {
			v1alpha1.CatalogImageSpec{Image: digestA},
			"spec.image: invalid value: " + digestA + ": " + write + " (a digest alone does not say of which repository)",
		},
		"credentials, which are not repeated": {
			v1alpha1.CatalogImageSpec{Image: "user:secret@quay.io/acme/autosd"},
			"spec.image: invalid value: ...@...: it holds a user name or password; leave them out, and name a pull secret in imagePullSecrets",
		},
		"credentials in a URL": {
			v1alpha1.CatalogImageSpec{Image: "https://user:secret@quay.io/acme/autosd:1"},
			"spec.image: invalid value: ...@...: it holds a user name or password; leave them out, and name a pull secret in imagePullSecrets",
		},
		"what Tekton has not filled in": {
			v1alpha1.CatalogImageSpec{Image: "$(params.IMAGE)"},
			"spec.image: invalid value: $(params.IMAGE): " + write + " ($(...) was not replaced: the Task or Pipeline has no such parameter or result)",
		},
		"a digest of another algorithm": {
			v1alpha1.CatalogImageSpec{Image: "a/b@sha512:" + strings.Repeat("a", 128)},
			"spec.image: invalid value: a/b@sha512:" + strings.Repeat("a", 128) + ": " + write + " (the catalog pins by sha256 digests only, and this is a sha512 digest)",
		},
		"a short digest": {
			v1alpha1.CatalogImageSpec{Image: "a/b@sha256:abc"},
			"spec.image: invalid value: a/b@sha256:abc: " + write + ` (a digest is sha256: and 64 hexadecimal digits in lower case, and this is "sha256:abc")`,
		},
		"a digest that the schema would refuse": {
			v1alpha1.CatalogImageSpec{Image: "a/b", Digest: "sha256:abc"},
			`spec.digest: invalid value: sha256:abc: a digest is sha256: and 64 hexadecimal digits in lower case, and this is "sha256:abc"`,
		},
		"a path that is cleaned": {
			v1alpha1.CatalogImageSpec{Image: "quay.io/acme/../autosd"},
			"spec.image: invalid value: quay.io/acme/../autosd: " + write + ` (the repository "acme/../autosd" has an empty part, or one of dots)`,
		},
		"no host": {
			v1alpha1.CatalogImageSpec{Image: "quay..io/acme/autosd"},
			"spec.image: invalid value: quay..io/acme/autosd: " + write + ` (the registry "quay..io" is no host name: it has letters, digits, '-', '_' and single dots)`,
		},
		"no port": {
			v1alpha1.CatalogImageSpec{Image: "quay.io:70000/acme/autosd"},
			"spec.image: invalid value: quay.io:70000/acme/autosd: " + write + ` (the registry "quay.io:70000" has no port from 1 to 65535)`,
		},
		"two digests": {
			v1alpha1.CatalogImageSpec{Image: "a/b@" + digestA, Digest: digestB},
			"spec.digest: invalid value: " + digestB + ": image names another digest, " + digestA + "; keep one of the two",
		},
		"two digests and a tag": {
			v1alpha1.CatalogImageSpec{Image: "a/b:1@" + digestA, Digest: digestB},
			"spec.digest: invalid value: " + digestB + ": image names another digest, " + digestA + "; keep one of the two",
		},
	} {
		t.Run(title, func(t *testing.T) {
			entry := v1alpha1.CatalogImage{Spec: test.spec}
			assert.Equal(t, []string{test.want}, problems(entry.Validate(apis.WithinCreate(t.Context()))))
		})
	}
}

func TestNobodyIsTheirOwnSuccessor(t *testing.T) {
	entry := v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: "autosd"},
		Spec:       v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1", Lifecycle: &v1alpha1.Lifecycle{State: v1alpha1.LifecycleDeprecated, Successor: "autosd"}},
	}
	assert.Equal(t, []string{"spec.lifecycle.successor: invalid value: autosd: name another entry: none is its own successor"},
		problems(entry.Validate(apis.WithinCreate(t.Context()))))
	entry.Spec.Lifecycle.Successor = "autosd-2"
	assert.Empty(t, problems(entry.Validate(apis.WithinCreate(t.Context()))))
}

// What is stored was judged by the rules of its time.
func TestValidateLeavesWhatIsStoredAlone(t *testing.T) {
	good := &v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"}}
	bad := &v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Image: "quay.io/acme//autosd:1"}}
	require.NotNil(t, bad.Validate(apis.WithinUpdate(t.Context(), good)), "a changed spec is judged")
	assert.Nil(t, bad.Validate(apis.WithinUpdate(t.Context(), bad)), "a spec that is as it was is not")

	deleted := bad.DeepCopy()
	deleted.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	assert.Nil(t, deleted.Validate(apis.WithinUpdate(t.Context(), good)))
	assert.Nil(t, bad.Validate(apis.WithinSubResourceUpdate(t.Context(), bad, "status")))
	assert.Nil(t, bad.Validate(apis.WithinDelete(t.Context())))
}
