package claim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWhatTheRefusedRead(t *testing.T) {
	claim := Claim{Namespace: "radar", Holder: "two", Identity: "quay.io/acme/autosd:1"}
	assert.EqualError(t, &HeldError{Claim: claim, By: "one"},
		`quay.io/acme/autosd:1 is in the catalog of namespace "radar" already, as "one"; change that entry, or delete it first: kubectl delete catalogimage one --namespace radar`)
	assert.EqualError(t, &PendingError{Claim: claim, By: "one", RetryAfter: 31 * time.Second},
		`quay.io/acme/autosd:1 is being published as "one" in namespace "radar"; retry in 31 s`)
}
