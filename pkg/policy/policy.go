package policy

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/pkg/signature"
)

// ErrKeysNotRead is that of a policy whose keys the controller has yet to read from their Secrets. It does within moments.
var ErrKeysNotRead = errors.New("the keys of the policy were not read from their Secrets yet")

// Policy is a CatalogPolicy that was read.
type Policy struct {
	// Name of the CatalogPolicy.
	Name string
	// Mode is enforce or warn, and never empty.
	Mode v1alpha1.PolicyMode
	// Revision tells policies that may judge differently apart, those with other keys included.
	Revision string
	// SignedPlatforms says that each image of an index needs a signature.
	SignedPlatforms bool

	images      []registry.Pattern
	namespaces  labels.Selector
	authorities []authority
	platforms   []Platform
	unreadable  []Check // of what is required and cannot be read
	metadata    []v1alpha1.MetadataField
	validations []validation
}

// authority is one of a policy, with the keys that could be had.
type authority struct {
	signature.Authority
	// lacks is why it has no keys.
	lacks string
}

// Read takes a policy as it is stored. What cannot be read is an *apis.FieldError with the path; the rest of the policy is
// given all the same, for who has to judge by it. ErrKeysNotRead is the error of a policy that nobody can judge by yet: what
// is given says which images it is for, and satisfied by none.
func Read(stored *v1alpha1.CatalogPolicy) (*Policy, error) {
	p := &Policy{Name: stored.Name, Mode: v1alpha1.ModeEnforce, SignedPlatforms: stored.Spec.SignedPlatforms, metadata: stored.Spec.RequiredMetadata}
	if !stored.Spec.Enforces() {
		p.Mode = v1alpha1.ModeWarn
	}
	if namesSecret(&stored.Spec) && stored.Status.ObservedGeneration != stored.Generation {
		return p.withoutKeys(&stored.Spec), ErrKeysNotRead
	}
	problems := p.readImages(&stored.Spec).Also(p.readNamespaces(&stored.Spec)).Also(p.readPlatforms(&stored.Spec)).
		Also(p.readAuthorities(stored)).Also(p.readValidations(&stored.Spec)).Also(p.requireSomething())
	p.Revision = revision(stored)
	if problems != nil {
		return p, problems.ViaField("spec")
	}
	return p, nil
}

// withoutKeys is what can be said of a policy before its keys were read. What else is wrong with it is said afterwards.
func (p *Policy) withoutKeys(spec *v1alpha1.CatalogPolicySpec) *Policy {
	_, _ = p.readImages(spec), p.readNamespaces(spec)
	for i := range spec.Authorities {
		p.authorities = append(p.authorities, authority{
			Authority: signature.Authority{Name: spec.Authorities[i].Name}, lacks: ErrKeysNotRead.Error(),
		})
	}
	return p
}

// Validate gives what of a policy cannot be read, with the path; nil if nothing. Keys in Secrets are not looked at.
func Validate(stored *v1alpha1.CatalogPolicy) *apis.FieldError {
	alone := &v1alpha1.CatalogPolicy{ObjectMeta: metav1.ObjectMeta{Name: stored.Name}, Spec: stored.Spec}
	_, err := Read(alone)
	var problems *apis.FieldError
	errors.As(err, &problems)
	return problems
}

func namesSecret(spec *v1alpha1.CatalogPolicySpec) bool {
	for i := range spec.Authorities {
		if spec.Authorities[i].Key.SecretRef != nil {
			return true
		}
	}
	return false
}

// revision is a hash of what a policy asks for.
func revision(stored *v1alpha1.CatalogPolicy) string {
	text, err := json.Marshal([]any{stored.Spec, stored.Status.Keys})
	if err != nil {
		return fmt.Sprintf("%s-%d", stored.UID, stored.Generation) // there is nothing in it that JSON cannot hold
	}
	return fmt.Sprintf("%.8x", sha256.Sum256(text))
}

func (p *Policy) readImages(spec *v1alpha1.CatalogPolicySpec) (problems *apis.FieldError) {
	for i, image := range spec.Images {
		pattern, err := registry.ParsePattern(image.Glob)
		if err != nil {
			problems = problems.Also(apis.ErrInvalidValue(image.Glob, "glob", err.Error()).ViaFieldIndex("images", i))
			continue
		}
		p.images = append(p.images, pattern)
	}
	return problems
}

func (p *Policy) readNamespaces(spec *v1alpha1.CatalogPolicySpec) *apis.FieldError {
	p.namespaces = labels.Everything()
	if spec.NamespaceSelector == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(spec.NamespaceSelector)
	if err != nil {
		p.namespaces = labels.Nothing()
		return apis.ErrGeneric(err.Error(), "namespaceSelector")
	}
	p.namespaces = selector
	return nil
}

func (p *Policy) readPlatforms(spec *v1alpha1.CatalogPolicySpec) (problems *apis.FieldError) {
	for i, text := range spec.RequiredPlatforms {
		platform, err := ParsePlatform(text)
		if err != nil {
			p.unreadable = append(p.unreadable, unreadable(checkNamePlatform, err.Error()))
			problems = problems.Also(apis.ErrInvalidArrayValue(text, "requiredPlatforms", i))
			continue
		}
		p.platforms = append(p.platforms, platform)
	}
	return problems
}

func (p *Policy) readAuthorities(stored *v1alpha1.CatalogPolicy) (problems *apis.FieldError) {
	for i := range stored.Spec.Authorities {
		declared := &stored.Spec.Authorities[i]
		a := authority{Authority: signature.Authority{Name: declared.Name}}
		text, field := declared.Key.Data, "data"
		if ref := declared.Key.SecretRef; ref != nil {
			text, field = keysOf(stored, declared.Name), "secretRef"
			a.lacks = fmt.Sprintf("there is no public key in the Secret %s: the status of the policy says why", ref.Name)
		}
		if text != "" || declared.Key.SecretRef == nil {
			keys, err := signature.ParseKeys([]byte(text))
			if err != nil {
				a.lacks = "it has no public key: " + err.Error()
				problem := &apis.FieldError{Message: "no public key", Paths: []string{field}, Details: err.Error()}
				problems = problems.Also(problem.ViaField("key").ViaFieldIndex("authorities", i))
			}
			a.Keys = keys
		}
		p.authorities = append(p.authorities, a)
	}
	return problems
}

// keysOf are the keys of an authority that were read from its Secret.
func keysOf(stored *v1alpha1.CatalogPolicy, authority string) string {
	for _, keys := range stored.Status.Keys {
		if keys.Authority == authority {
			return keys.Data
		}
	}
	return ""
}

func (p *Policy) readValidations(spec *v1alpha1.CatalogPolicySpec) (problems *apis.FieldError) {
	for i := range spec.Validations {
		v, err := parseValidation(&spec.Validations[i])
		if err != nil {
			problem := &apis.FieldError{Message: "no expression of CEL", Paths: []string{"expression"}, Details: err.Error()}
			problems = problems.Also(problem.ViaFieldIndex("validations", i))
		}
		p.validations = append(p.validations, v)
	}
	return problems
}

// requireSomething refuses what every image would satisfy, as the schema does with what is stored.
func (p *Policy) requireSomething() *apis.FieldError {
	const advice = "say what the images need: authorities, requiredPlatforms, requiredMetadata or validations"
	switch {
	case p.SignedPlatforms && !p.WantsSignatures():
		p.unreadable = append(p.unreadable, unreadable(checkNameSignature, "the policy does not say whose signatures count"))
		return apis.ErrGeneric("say in authorities whose signature the platforms need", "signedPlatforms")
	case !p.WantsSignatures() && len(p.platforms)+len(p.metadata)+len(p.validations)+len(p.unreadable) == 0:
		p.unreadable = append(p.unreadable, unreadable(checkNamePolicy, "the policy asks for nothing"))
		return apis.ErrGeneric(advice, apis.CurrentField)
	default:
		return nil
	}
}

// Selects says whether the policy is for images of a repository in a namespace with such labels.
func (p *Policy) Selects(repository name.Repository, namespace map[string]string) bool {
	return p.SelectsImage(repository) && p.SelectsNamespace(namespace)
}

// SelectsNamespace says whether the policy is for some images in a namespace with such labels.
func (p *Policy) SelectsNamespace(namespace map[string]string) bool {
	return p.namespaces.Matches(labels.Set(namespace))
}

// SelectsImage says whether the policy is for images of a repository in some namespace.
func (p *Policy) SelectsImage(repository name.Repository) bool {
	for _, pattern := range p.images {
		if pattern.Matches(repository) {
			return true
		}
	}
	return false
}

// WantsSignatures says whether images need a signature.
func (p *Policy) WantsSignatures() bool { return len(p.authorities) > 0 }

// WantsFacts says whether it takes more to judge an image than its digest and its signatures.
func (p *Policy) WantsFacts() bool {
	return p.SignedPlatforms || len(p.platforms)+len(p.metadata)+len(p.validations) > 0
}

// Enforced says whether an entry that does not satisfy the policy is not Ready.
func (p *Policy) Enforced() bool { return p.Mode == v1alpha1.ModeEnforce }
