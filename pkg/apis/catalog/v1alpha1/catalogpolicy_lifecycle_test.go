package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestAPolicyIsReadyWhenItIsValidAndItsKeysAreThere(t *testing.T) {
	var policy v1alpha1.CatalogPolicy
	ready := func() *apis.Condition { return policy.Status.GetCondition(apis.ConditionReady) }
	policy.GetConditionSet().Manage(policy.GetStatus()).InitializeConditions()
	assert.True(t, ready().IsUnknown())
	policy.Status.MarkValid()
	assert.True(t, ready().IsUnknown())
	policy.Status.MarkKeys(nil)
	assert.True(t, ready().IsTrue())

	keys := []v1alpha1.AuthorityKeys{{Authority: "release", Data: "PEM"}}
	policy.Status.MarkKeysUnavailable(keys, "the Secret is missing: 100%s")
	assert.True(t, ready().IsFalse())
	assert.Equal(t, v1alpha1.ReasonKeyUnavailable, ready().Reason)
	assert.Equal(t, "the Secret is missing: 100%s", ready().Message)
	assert.Equal(t, keys, policy.Status.Keys)
	policy.Status.MarkKeys(nil)
	assert.True(t, ready().IsTrue())
	assert.Empty(t, policy.Status.Keys)

	policy.Status.MarkInvalid(strings.Repeat("ä", 3*v1alpha1.MaxMessage))
	assert.True(t, ready().IsFalse())
	assert.Equal(t, "Invalid", ready().Reason)
	assert.Len(t, []rune(ready().Message), v1alpha1.MaxMessage)
}

func TestAPolicyEnforcesUnlessItOnlyWarns(t *testing.T) {
	for mode, enforces := range map[v1alpha1.PolicyMode]bool{"": true, v1alpha1.ModeEnforce: true, v1alpha1.ModeWarn: false, "of a later version": true} {
		assert.Equal(t, enforces, (&v1alpha1.CatalogPolicySpec{Mode: mode}).Enforces(), mode)
	}
}
