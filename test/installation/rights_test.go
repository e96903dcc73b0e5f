package installation

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// rules gives the rules of every role of a kind by the role's name.
func rules(t *testing.T, kind string) map[string][]rbacv1.PolicyRule {
	t.Helper()
	all := map[string][]rbacv1.PolicyRule{}
	for _, role := range ofKind[rbacv1.ClusterRole](t, kind) { // a Role has a part of a ClusterRole's fields
		require.NotEmpty(t, role.Rules, role.Name)
		all[role.Name] = role.Rules
	}
	return all
}

func TestNoRuleHasAWildcard(t *testing.T) {
	for _, kind := range []string{"ClusterRole", "Role"} {
		for role, granted := range rules(t, kind) {
			for _, rule := range granted {
				for _, words := range [][]string{rule.APIGroups, rule.Resources, rule.ResourceNames, rule.Verbs, rule.NonResourceURLs} {
					assert.NotContains(t, words, "*", "%s %s", kind, role)
				}
				for _, verb := range []string{"escalate", "bind", "impersonate"} {
					assert.NotContains(t, rule.Verbs, verb, "%s %s", kind, role)
				}
			}
		}
	}
}

// Secrets of other namespaces are read one at a time, by their names. The controller watches their metadata, to which RBAC
// knows no right of its own; the webhook watches some of those beside it.
func TestWhoReadsSecrets(t *testing.T) {
	for role, granted := range rules(t, "ClusterRole") {
		if role == "imagecatalog-controller" {
			assert.Subset(t, []string{"get", "list", "watch"}, verbsOn(granted, "secrets"), role)
			continue
		}
		assert.Empty(t, verbsOn(granted, "secrets"), role)
	}
	for role, granted := range rules(t, "Role") {
		if role != "webhook" {
			assert.Empty(t, verbsOn(granted, "secrets"), role)
		}
	}
}

// Who may write policies decides what is trusted: the administrators of the cluster, and nobody by a role of ours.
func TestNoRoleWritesPolicies(t *testing.T) {
	for role, granted := range rules(t, "ClusterRole") {
		assert.Subset(t, []string{"get", "list", "watch"}, verbsOn(granted, "catalogpolicies"), role)
	}
	assert.Empty(t, verbsOn(rules(t, "ClusterRole")["imagecatalog-edit"], "catalogpolicies"))
}

// Only people and pipelines decide what is in the catalog; the controller adds labels to what is there.
func TestNoBinaryDecidesWhatIsInTheCatalog(t *testing.T) {
	granted := rules(t, "ClusterRole")
	for binary, most := range map[string][]string{
		"controller": {"get", "list", "watch", "patch"},
		"webhook":    {"get", "list", "watch"},
		"query":      {"get", "list", "watch"},
	} {
		require.Contains(t, granted, "imagecatalog-"+binary)
		assert.Subset(t, most, verbsOn(granted["imagecatalog-"+binary], "catalogimages"), binary)
	}
}

// Statuses belong to the controller.
func TestOnlyTheControllerWritesStatuses(t *testing.T) {
	for role, granted := range rules(t, "ClusterRole") {
		if role != "imagecatalog-controller" {
			assert.Empty(t, verbsOn(granted, "catalogimages/status"), role)
			assert.Empty(t, verbsOn(granted, "catalogpolicies/status"), role)
		}
	}
}

func verbsOn(granted []rbacv1.PolicyRule, resource string) (verbs []string) {
	for _, rule := range granted {
		for _, covered := range rule.Resources {
			if covered == resource {
				verbs = append(verbs, rule.Verbs...)
			}
		}
	}
	return verbs
}

func TestBindingsNameWhatExists(t *testing.T) {
	accounts := map[string]bool{}
	for _, account := range ofKind[corev1.ServiceAccount](t, "ServiceAccount") {
		accounts[account.Name] = true
	}
	for _, kind := range []string{"ClusterRole", "Role"} {
		roles := rules(t, kind)
		for _, binding := range ofKind[rbacv1.ClusterRoleBinding](t, kind+"Binding") {
			assert.Contains(t, roles, binding.RoleRef.Name, binding.Name)
			for _, subject := range binding.Subjects {
				if binding.Name == forEverybody {
					continue
				}
				assert.Equal(t, rbacv1.ServiceAccountKind, subject.Kind, binding.Name)
				assert.Equal(t, namespace, subject.Namespace, binding.Name)
				assert.True(t, accounts[subject.Name], "%s binds %s", binding.Name, subject.Name)
			}
		}
	}
}

// forEverybody is the role of whoever the API server knows, and its binding.
const forEverybody = "query-ca"

func TestEverybodyMayReadOneConfigMap(t *testing.T) {
	assert.Equal(t, []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"query-ca"}, Verbs: []string{"get"},
	}}, rules(t, "Role")[forEverybody])
	for _, binding := range ofKind[rbacv1.RoleBinding](t, "RoleBinding") {
		if binding.Name == forEverybody {
			assert.Equal(t, []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}}, binding.Subjects)
			assert.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: forEverybody}, binding.RoleRef)
			return
		}
	}
	assert.Fail(t, "nobody is bound to "+forEverybody)
}
