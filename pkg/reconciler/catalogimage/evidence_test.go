package catalogimage

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"

	"imagecatalog.dev/catalog/pkg/signature"
)

// evidenceOf is evidence of about so many bytes.
func evidenceOf(bytes int) *evidence {
	return &evidence{repository: "quay.io/acme/autosd", at: now, byDigest: map[string]*signature.Evidence{
		digestA: {Digest: digestA, Signatures: []signature.Signature{{Message: make([]byte, bytes)}}},
	}}
}

func TestEvidenceIsOfAnEntryInARepository(t *testing.T) {
	e, one, other := newEvidences(), types.NamespacedName{Namespace: "radar", Name: "one"}, types.NamespacedName{Namespace: "lidar", Name: "one"}
	e.keep(one, evidenceOf(10))
	assert.NotNil(t, e.of(one, "quay.io/acme/autosd").of(digestA))
	assert.Nil(t, e.of(one, "quay.io/acme/autosd").of(digestB))
	assert.Nil(t, e.of(one, "quay.io/acme/other").of(digestA), "the entry is of another image now")
	assert.Nil(t, e.of(other, "quay.io/acme/autosd"), "what one may read tells nothing to another")
	e.forget(one)
	assert.Nil(t, e.of(one, "quay.io/acme/autosd"))
	assert.Zero(t, e.bytes)
}

func TestEvidenceIsBounded(t *testing.T) {
	const each = 100 << 10
	e := newEvidences()
	name := func(n int) types.NamespacedName {
		return types.NamespacedName{Namespace: "radar", Name: strconv.Itoa(n)}
	}
	for n := range 2 * mostEvidenceBytes / each {
		e.keep(name(0), evidenceOf(each)) // is used, and stays
		e.keep(name(n), evidenceOf(each))
		assert.LessOrEqual(t, e.bytes, mostEvidenceBytes)
	}
	assert.Nil(t, e.of(name(1), "quay.io/acme/autosd"))
	assert.NotNil(t, e.of(name(0), "quay.io/acme/autosd"))
	sum := 0
	for _, kept := range e.kept.Values() {
		sum += kept.bytes()
	}
	assert.Equal(t, sum, e.bytes)
	for n := range mostEvidenceBytes / 100 {
		e.keep(name(n), &evidence{repository: "quay.io/acme/autosd", at: now}) // was trimmed
	}
	assert.LessOrEqual(t, e.bytes, mostEvidenceBytes)
	assert.Less(t, e.kept.Len(), mostEvidenceBytes/500)
}

func TestAFloodOfSignaturesIsJudgedAndNotKept(t *testing.T) {
	e, entry := newEvidences(), types.NamespacedName{Namespace: "radar", Name: "flood"}
	e.keep(entry, evidenceOf(mostEntryBytes))
	assert.NotNil(t, e.of(entry, "quay.io/acme/autosd").of(digestA), "until it was judged")
	e.trim(entry)
	kept := e.of(entry, "quay.io/acme/autosd")
	assert.Nil(t, kept.of(digestA))
	assert.Equal(t, now, kept.at, "when it was looked for is known")
	assert.Less(t, e.bytes, 1<<10)
}
