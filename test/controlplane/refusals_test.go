//go:build controlplane

package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

const (
	refusalsFile = "testdata/refusals.yaml"
	// publisher may do what a pipeline may, in the namespaces of refusals.
	publisher = "alice"
)

var update = flag.Bool("update", false, "write what is said into "+refusalsFile)

// refusal is an example of an object that is refused; the file says what its fields mean.
type refusal struct {
	Name        string
	Object      map[string]any
	Spec        any
	Annotations map[string]any
	Stored      map[string]any
	Other       map[string]any
	Pending     string
	Allowed     string
	Status      map[string]any
	Policy      any
	ConfigMap   string
	Data        map[string]any
	Said        string
}

// TestRefusals is of the examples that settings refuse, which hold for everybody. The others need nothing but the webhook:
// TestWithoutAController has them. To write what is said, all are here.
func TestRefusals(t *testing.T) {
	refuse(t, func(r refusal) bool { return r.Allowed != "" || *update })
}

// refuse holds every word that a user gets to read for a bad object against the file that a person has read, for some of the
// examples.
func refuse(t *testing.T, some func(refusal) bool) {
	t.Helper()
	var file yaml.Node
	content, err := os.ReadFile(refusalsFile)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &file))
	var refusals []refusal
	require.NoError(t, file.Decode(&refusals))

	for n, each := range refusals {
		if !some(each) {
			continue
		}
		t.Run(each.Name, func(t *testing.T) {
			said := each.provoke(t)
			if *update {
				setSaid(file.Content[0].Content[n], said)
				return
			}
			assert.Equal(t, each.Said, said)
		})
	}
	if *update {
		require.NoError(t, os.WriteFile(refusalsFile, encoded(t, &file), 0o644))
	}
}

func setSaid(example *yaml.Node, said string) {
	for n := 0; n < len(example.Content); n += 2 {
		if example.Content[n].Value == "said" {
			example.Content[n+1] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.LiteralStyle, Value: said}
		}
	}
}

// encoded is the file with an empty line before each example.
func encoded(t *testing.T, file *yaml.Node) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	require.NoError(t, encoder.Encode(file))
	return regexp.MustCompile(`(?m)([^\n])\n((?:# .*\n)*- name:)`).ReplaceAll(out.Bytes(), []byte("$1\n\n$2"))
}

// provoke writes the example and returns what is said about it.
func (r refusal) provoke(t *testing.T) string {
	t.Helper()
	if r.ConfigMap != "" {
		return say(t, "", mustJSON(t, map[string]any{"data": r.Data}), "patch", "configmap", r.ConfigMap, "--namespace", systemNamespace, "--dry-run=server")
	}
	if r.Policy != nil {
		manifest := map[string]any{"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "CatalogPolicy", "metadata": map[string]any{"name": "bad"}, "spec": expanded(r.Policy)}
		return saidBy(t, "", mustJSON(t, manifest), "apply", "--filename", "-")
	}
	namespace := newNamespace(t)
	r.prepare(t, namespace)
	switch {
	case r.Status != nil:
		return say(t, namespace, mustJSON(t, map[string]any{"status": expanded(r.Status)}), "patch", "catalogimage", "bad", "--namespace", namespace, "--subresource", "status")
	case r.Stored != nil:
		return r.write(t, namespace, "replace")
	default:
		return r.write(t, namespace, "create")
	}
}

// prepare makes what the example finds.
func (r refusal) prepare(t *testing.T, namespace string) {
	t.Helper()
	_, err := kube.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "publisher"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "imagecatalog-publish"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: publisher}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	awaitPermission(t, namespace)
	for name, spec := range map[string]map[string]any{"bad": r.Stored, "another": r.Other} {
		if spec != nil {
			r.store(t, namespace, name, spec)
		}
	}
	if r.Pending != "" {
		wanted, err := claim.Of(&v1alpha1.CatalogImage{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "another"},
			Spec:       v1alpha1.CatalogImageSpec{Image: r.Pending},
		})
		require.NoError(t, err)
		keeper := claim.NewKeeper(kube.CoordinationV1().Leases(systemNamespace), claim.LiveEntries(catalog.ImagecatalogV1alpha1()))
		require.NoError(t, keeper.Take(t.Context(), wanted))
	}
	if r.Allowed != "" {
		allow(t, r.Allowed)
	}
}

// awaitPermission waits until the API server's authorizer has heard of the role binding.
func awaitPermission(t *testing.T, namespace string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		review, err := kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User: publisher,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: "create", Group: v1alpha1.SchemeGroupVersion.Group, Resource: "catalogimages",
				},
			},
		}, metav1.CreateOptions{})
		return err == nil && review.Status.Allowed, err
	})
	require.NoError(t, err)
}

func (r refusal) store(t *testing.T, namespace, name string, spec map[string]any) {
	t.Helper()
	as := rest.CopyConfig(config)
	as.Impersonate.UserName = publisher
	entries, err := versioned.NewForConfig(as)
	require.NoError(t, err)
	entry := &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Name: name}}
	require.NoError(t, json.Unmarshal([]byte(mustJSON(t, expanded(spec))), &entry.Spec))
	_, err = entries.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), entry, metav1.CreateOptions{})
	require.NoError(t, err)
}

// write has kubectl create or replace the entry of the example.
func (r refusal) write(t *testing.T, namespace, verb string) string {
	t.Helper()
	manifest := mustJSON(t, expanded(r.entry()))
	for {
		said := saidBy(t, namespace, manifest, verb, "--filename", "-", "--namespace", namespace, "--as", publisher)
		if !strings.Contains(said, "the object has been modified") { // by the controller, which writes its status
			return said
		}
	}
}

func (r refusal) entry() map[string]any {
	if r.Object != nil {
		return r.Object
	}
	metadata := map[string]any{"name": "bad"}
	if r.Annotations != nil {
		metadata["annotations"] = r.Annotations
	}
	return map[string]any{"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "CatalogImage", "metadata": metadata, "spec": r.Spec}
}

func say(t *testing.T, namespace, patch string, args ...string) string {
	t.Helper()
	return saidBy(t, namespace, "", append(args, "--type", "merge", "--patch", patch)...)
}

var (
	kubectlsOwn = regexp.MustCompile(`^(error: )?(Error from server \(\w+\): )?(error when \w+ "STDIN": )?(The \w+ "[^"]*" is invalid:\s+)?`)
	atATime     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	retryIn     = regexp.MustCompile(`retry in \d+`)
)

// saidBy is what kubectl says, without its own words and what differs from run to run.
func saidBy(t *testing.T, namespace, stdin string, args ...string) string {
	t.Helper()
	err := kubectl(t.Context(), stdin, args...)
	require.Error(t, err, "it is admitted")
	_, said, ok := strings.Cut(err.Error(), "exit status 1: ")
	require.True(t, ok, "%v", err)
	said = kubectlsOwn.ReplaceAllString(strings.TrimSpace(said), "")
	if namespace != "" {
		said = strings.ReplaceAll(said, namespace, "{namespace}")
	}
	said = atATime.ReplaceAllStringFunc(said, func(text string) string {
		if at, err := time.Parse(time.RFC3339, text); err == nil && time.Since(at).Abs() < time.Hour {
			return "{now}"
		}
		return text
	})
	said = retryIn.ReplaceAllString(said, "retry in {seconds}")
	if !strings.HasPrefix(said, "* ") {
		return said
	}
	list := strings.Split(said, "\n") // of fields, in the order of a Go map
	slices.Sort(list)
	return strings.Join(list, "\n")
}

var repetition = regexp.MustCompile(`\{(\d+) (\S+?)\}`)

// expanded writes out the file's abbreviations.
func expanded(value any) any {
	switch value := value.(type) {
	case string:
		return repetition.ReplaceAllStringFunc(value, func(text string) string {
			match := repetition.FindStringSubmatch(text)
			times, _ := strconv.Atoi(match[1])
			return strings.Repeat(match[2], times)
		})
	case []any:
		return expandedList(value)
	case map[string]any:
		all := map[string]any{}
		for key, each := range value {
			all[key] = expanded(each)
		}
		return all
	}
	return value
}

func expandedList(list []any) []any {
	all := []any{}
	for _, each := range list {
		object, _ := each.(map[string]any)
		times, many := object["times"].(int)
		if !many {
			all = append(all, expanded(each))
		}
		for n := range times {
			all = append(all, numbered(object["item"], n+1))
		}
	}
	return all
}

// numbered writes a number for {n} in an item.
func numbered(item any, n int) any {
	switch item := item.(type) {
	case string:
		return strings.ReplaceAll(item, "{n}", strconv.Itoa(n))
	case map[string]any:
		all := map[string]any{}
		for key, each := range item {
			all[key] = numbered(each, n)
		}
		return all
	}
	return item
}

// TestEveryRuleHasAnExample fails for a rule of the schema that nobody has read the words of. Types of a status are left
// out: only the catalog writes it, from Go. So are those of policies, for which the API server has the same words.
func TestEveryRuleHasAnExample(t *testing.T) {
	content, err := os.ReadFile(refusalsFile)
	require.NoError(t, err)
	var refusals []refusal
	require.NoError(t, yaml.Unmarshal(content, &refusals))
	var said strings.Builder
	for _, each := range refusals {
		said.WriteString(regexp.MustCompile(`\[\d+\]`).ReplaceAllString(each.Said, "[]") + "\n")
	}
	schema, policies := schemaIn(t, "300-catalogimage.yaml"), schemaIn(t, "300-catalogpolicy.yaml")
	for _, words := range slices.Concat(wordsOf("spec", schema.Properties["spec"]), rulesOf("", schema), rulesOf("status", schema.Properties["status"]),
		allRulesOf("spec", policies.Properties["spec"])) {
		assert.Contains(t, said.String(), words)
	}
}

// wordsOf are the beginnings of what the API server says when a field, or one below it, breaks a rule.
func wordsOf(path string, schema apiextensionsv1.JSONSchemaProps) []string {
	words := append(rulesOf(path, schema), path+" in body must be of type "+schema.Type)
	if schema.MaxLength != nil {
		words = append(words, path+": Too long: ")
	}
	if schema.MinLength != nil {
		words = append(words, path+" in body should be at least ")
	}
	if schema.MaxItems != nil {
		words = append(words, path+": Too many: ")
	}
	if schema.Enum != nil {
		words = append(words, path+": Unsupported value: ")
	}
	if schema.XListType != nil && *schema.XListType != "atomic" {
		words = append(words, path+"[]: Duplicate value: ")
	}
	for _, required := range schema.Required {
		words = append(words, path+"."+required+": Required value")
	}
	if schema.Items != nil {
		words = append(words, wordsOf(path+"[]", *schema.Items.Schema)...)
	}
	for name, field := range schema.Properties {
		words = append(words, wordsOf(path+"."+name, field)...)
	}
	return words
}

// rulesOf are the messages of a schema's own rules, each after its field.
func rulesOf(path string, schema apiextensionsv1.JSONSchemaProps) []string {
	var rules []string
	for _, rule := range schema.XValidations {
		rules = append(rules, rule.Message)
		if rule.FieldPath != "" {
			rules = append(rules, strings.TrimPrefix(path+rule.FieldPath, ".")+": ")
		}
	}
	return rules
}

// allRulesOf are those of a schema and of all fields below it.
func allRulesOf(path string, schema apiextensionsv1.JSONSchemaProps) []string {
	rules := rulesOf(path, schema)
	if schema.Items != nil {
		rules = append(rules, allRulesOf(path+"[]", *schema.Items.Schema)...)
	}
	for name, field := range schema.Properties {
		rules = append(rules, allRulesOf(path+"."+name, field)...)
	}
	return rules
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	document, err := json.Marshal(value)
	require.NoError(t, err)
	return string(document)
}
