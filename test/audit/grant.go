package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// grant is the smallest permission that a role can give to a service account.
type grant struct {
	account   string // namespace:name
	namespace string // "" for all
	verb      string
	group     string
	resource  string // with its subresource, as in catalogimages/status
	name      string // of an object; "" for all
	role      string // that gives it, as in "Role controller"
}

func (g grant) String() string {
	group := g.group
	if group == "" {
		group = "core"
	}
	object := g.resource
	if g.name != "" {
		object += " " + g.name
	}
	return fmt.Sprintf("%s: %s %s (%s), given by the %s", g.account, g.verb, object, group, g.role)
}

// manifests are those objects of a directory that say who may do what.
type manifests struct {
	accounts map[string]bool // namespace:name
	rules    map[string][]rbacv1.PolicyRule
	bindings []binding
}

// binding is of either kind.
type binding struct {
	namespace string // "" for a ClusterRoleBinding
	role      rbacv1.RoleRef
	subjects  []rbacv1.Subject
}

// readGrants gives what roles in a directory's manifests grant to the service accounts in them.
func readGrants(dir string) ([]grant, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	m := manifests{accounts: map[string]bool{}, rules: map[string][]rbacv1.PolicyRule{}}
	for _, file := range files {
		if err := m.read(file); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
	}
	grants, err := m.grants()
	if err == nil && len(grants) == 0 {
		err = fmt.Errorf("no manifest in %s binds a role to a service account", dir)
	}
	return grants, err
}

func (m *manifests) read(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		// A role has rules, a binding a roleRef and subjects; the two kinds of each differ in where they hold alone.
		var object struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
			RoleRef           rbacv1.RoleRef   `json:"roleRef"`
			Subjects          []rbacv1.Subject `json:"subjects"`
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return err
		}
		switch object.Kind {
		case "ServiceAccount":
			m.accounts[object.Namespace+":"+object.Name] = true
		case "Role", "ClusterRole":
			var role rbacv1.Role
			if err := yaml.Unmarshal([]byte(document), &role); err != nil {
				return err
			}
			m.rules[key(object.Kind, object.Namespace, object.Name)] = role.Rules
		case "RoleBinding", "ClusterRoleBinding":
			m.bindings = append(m.bindings, binding{namespace: object.Namespace, role: object.RoleRef, subjects: object.Subjects})
		}
	}
	return nil
}

func key(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

func (m *manifests) grants() ([]grant, error) {
	var all []grant
	for _, b := range m.bindings {
		namespace := b.namespace
		if b.role.Kind == "ClusterRole" {
			namespace = ""
		}
		rules, ok := m.rules[key(b.role.Kind, namespace, b.role.Name)]
		if !ok {
			return nil, fmt.Errorf("a binding names the %s %q, which no manifest holds", b.role.Kind, b.role.Name)
		}
		for _, subject := range b.subjects {
			account := subject.Namespace + ":" + subject.Name
			if subject.Kind != rbacv1.ServiceAccountKind || !m.accounts[account] {
				continue
			}
			like := grant{account: account, namespace: b.namespace, role: b.role.Kind + " " + b.role.Name}
			for _, rule := range rules {
				all = append(all, like.each(rule)...)
			}
		}
	}
	return all, nil
}

// each gives the grants of a rule, for the account, the namespace and the role of g.
func (g grant) each(rule rbacv1.PolicyRule) (all []grant) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, g.group = range rule.APIGroups {
		for _, g.resource = range rule.Resources {
			for _, g.verb = range rule.Verbs {
				for _, g.name = range names {
					all = append(all, g)
				}
			}
		}
	}
	return all
}

// allows says whether the permission is one for the request.
func (g grant) allows(r request) bool {
	return g.account == r.account &&
		(g.namespace == "" || g.namespace == r.namespace) &&
		(g.name == "" || g.name == r.name) &&
		matches(g.verb, r.verb) && matches(g.group, r.group) && matches(g.resource, r.resource)
}

func matches(granted, asked string) bool { return granted == asked || granted == rbacv1.ResourceAll }
