package policy_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

// described is an entry with all that expressions see.
func described() *v1alpha1.CatalogImage {
	yes, created := true, metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return entry(func(e *v1alpha1.CatalogImage) {
		e.Labels, e.Annotations = map[string]string{"team": "radar"}, map[string]string{"a.b/c": "d"}
		e.Spec = v1alpha1.CatalogImageSpec{
			Image: "quay.io/acme/autosd:1", Digest: index, DisplayName: "AutoSD", Tags: []string{"nightly"}, Series: "autosd", Channel: "prod",
			Metadata: v1alpha1.ImageMetadata{
				Architecture: "aarch64", OS: "linux", Variant: "v8", Distro: "autosd", DistroVersion: "9", Bootc: &yes, BuildMode: "image",
				ExportFormat: "qcow2", KernelVersion: "6.12", Targets: []v1alpha1.Target{{Name: "qemu", Verified: true, Notes: "slow"}},
			},
			Source:    &v1alpha1.Source{Kind: "PipelineRun", Name: "build-7"},
			Lifecycle: &v1alpha1.Lifecycle{State: "Recalled", Reason: "bad", Successor: "autosd-2"},
		}
		s := &e.Status
		s.Image, s.MediaType, s.ArtifactType, s.SizeBytes, s.LayerCount, s.CreatedAt, s.PublishedBy = "quay.io/acme/autosd:1", "m", "a", 7, 3, &created, "alice"
	})
}

func TestWhatExpressionsSee(t *testing.T) {
	for _, text := range []string{
		"entry.metadata.name == 'autosd' && entry.metadata.namespace == 'radar'", "entry.metadata.labels.team == 'radar'", "entry.metadata.annotations['a.b/c'] == 'd'",
		"entry.spec.image == 'quay.io/acme/autosd:1' && entry.spec.digest.startsWith('sha256:1111')", "entry.spec.displayName == 'AutoSD'", "'nightly' in entry.spec.tags",
		"entry.spec.series == 'autosd' && entry.spec.channel == 'prod'", "entry.spec.metadata.architecture == 'arm64'",
		"entry.spec.metadata.os == 'linux' && entry.spec.metadata.variant == 'v8' && entry.spec.metadata.bootc",
		"entry.spec.metadata.distro + entry.spec.metadata.distroVersion == 'autosd9'", "entry.spec.metadata.buildMode == 'image' && entry.spec.metadata.exportFormat == 'qcow2'",
		"entry.spec.metadata.kernelVersion.matches('^6[.]')", "entry.spec.metadata.targets.exists(t, t.name == 'qemu' && t.verified && t.notes == 'slow')",
		"entry.spec.source.kind == 'PipelineRun' && entry.spec.source.name == 'build-7'",
		"entry.spec.lifecycle.state == 'Recalled' && entry.spec.lifecycle.reason == 'bad' && entry.spec.lifecycle.successor == 'autosd-2'",
		"entry.status.image == 'quay.io/acme/autosd:1' && entry.status.digest == entry.spec.digest", "entry.status.mediaType == 'm' && entry.status.artifactType == 'a'",
		"entry.status.sizeBytes < 1000 && entry.status.layerCount == 3", "entry.status.createdAt < timestamp('2026-03-01T12:00:01Z')", "entry.status.publishedBy == 'alice'",
		"entry.status.platforms.map(p, p.architecture) == ['amd64', 'arm64'] && entry.status.platforms.all(p, p.os == 'linux' && p.variant == '')",
		"entry.spec.displayName.lowerAscii().split('s')[0].trim() == 'auto'",
	} {
		v := read(t, expression(text)).Judge(described(), none)
		assert.Equal(t, v1alpha1.PolicySatisfied, v.Outcome, "%s: %s", text, v.Message)
	}
}

// What an entry does not say is empty, and no error.
func TestWhatAnEntryDoesNotSayIsEmpty(t *testing.T) {
	for _, text := range []string{
		"entry.spec.channel == '' && entry.spec.tags == [] && entry.spec.metadata.targets == []", "!entry.spec.metadata.bootc && entry.spec.source.kind == ''",
		"!('team' in entry.metadata.labels) && entry.metadata.annotations.size() == 0", "entry.spec.lifecycle.state == 'Active'", "entry.status.createdAt < timestamp('2000-01-01T00:00:00Z')",
		"entry.status.platforms == [] && entry.status.sizeBytes == 0",
	} {
		v := read(t, expression(text)).Judge(&v1alpha1.CatalogImage{}, none)
		assert.Equal(t, v1alpha1.PolicySatisfied, v.Outcome, "%s: %s", text, v.Message)
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for text, said := range map[string]string{
		"entry.spec.chanel == 'prod'":                          "line 1, column 11: undefined field 'chanel'",
		"entry.status.verification == null":                    "undefined field 'verification'",
		"image.spec.channel == 'prod'":                         "undeclared reference to 'image'",
		"entry.spec.channel = 'prod'":                          "Syntax error",
		"entry.spec.channel":                                   "it gives a value of type string, and not true or false",
		"dyn(true)":                                            "it gives a value of type dyn, and not true or false",
		"true\n  && entry.spec.tags":                           "line 2, column",
		"entry.spec.tags.exists(t, t > 1)":                     "found no matching overload for '_>_' applied to '(string, int)'",
		"entry.spec.image.matches('[')":                        "invalid matches argument",
		"timestamp('soon') < timestamp('later')":               "invalid timestamp argument",
		"now() > entry.status.createdAt":                       "undeclared reference to 'now'",
		"entry.spec.image.replace('a', 'b') == ''":             "replace is not among the functions that policies may call",
		"entry.spec.tags.join(',') == ''":                      "join is not among the functions that policies may call",
		"'%s'.format([entry.spec.image]) == ''":                "format is not among the functions that policies may call",
		"[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))": "comprehension exceeds nesting limit",
		"":                                    "Syntax error",
		"true //" + strings.Repeat("x", 4090): "expression code point size exceeds limit: size: 4097, limit 4096",
		strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300): "expression recursion limit exceeded",
		strings.Repeat("a.b || ", 100) + "true":                      "undeclared reference to 'a'",
	} {
		problems := policy.Validate(stored(expression(text)))
		require.NotNil(t, problems, text)
		details, ok := strings.CutPrefix(problems.Error(), "no expression of CEL: spec.validations[0].expression\n")
		require.True(t, ok, problems)
		assert.Contains(t, details, said, text)
		assert.NotContains(t, details, "\n", text)
		assert.Less(t, len(details), 512, text)

		p, err := policy.Read(stored(expression(text), expression("true")))
		require.Error(t, err)
		v := p.Judge(described(), none)
		assert.Equal(t, v1alpha1.PolicyUnknown, v.Outcome, text)
		assert.Equal(t, policy.ReasonPolicyInvalid, v.Reason, text)
		assertPlain(t, v)
	}
}

// What can be had of an entry only may be too much, or nothing to go by: then it does not hold.
func TestExpressionsThatCannotBeEvaluated(t *testing.T) {
	large := described()
	large.Annotations["list"] = strings.Repeat("a,", 100_000)
	for text, said := range map[string]string{
		"1 / (entry.status.layerCount - 3) > 0":   "cannot be evaluated: division by zero",
		"entry.metadata.labels.owner == 'radar'":  "cannot be evaluated: no such key: owner",
		"entry.status.platforms[7].os == 'linux'": "cannot be evaluated: index out of bounds: 7",
		"int(entry.spec.channel) > 0":             "cannot be evaluated:",
		"entry.metadata.annotations.list.split(',').all(x, entry.metadata.annotations.list.split(',').all(y, x == y))": "cannot be evaluated: operation cancelled: actual cost limit exceeded",
		"entry.metadata.annotations.list.split(',').map(x, entry.metadata.annotations.list).map(x, x + x).size() == 0": "cannot be evaluated: operation cancelled: actual cost limit exceeded",
	} {
		began := time.Now()
		v := read(t, expression(text)).Judge(large, none)
		assert.Equal(t, v1alpha1.PolicyViolated, v.Outcome, text)
		assert.Equal(t, policy.ReasonValidationFailed, v.Reason, text)
		assert.Contains(t, v.Message, said, text)
		assertPlain(t, v)
		assert.Less(t, time.Since(began), 10*time.Second, text)
	}
}

func TestTheMessageOfAnExpression(t *testing.T) {
	own := read(t, expressionSaying("entry.spec.channel == 'dev'", "only what is in dev:\n  move it"))
	assert.Equal(t, "only what is in dev: move it", own.Judge(described(), none).Message)
	assert.Equal(t, "this is not true: entry.spec.channel == 'dev'", read(t, expression("entry.spec.channel\n== 'dev'")).Judge(described(), none).Message)

	long := read(t, expression("entry.spec.channel == '"+strings.Repeat("ä", 3000)+"'")).Judge(described(), none)
	assert.LessOrEqual(t, utf8.RuneCountInString(long.Message), v1alpha1.MaxVerdict/2)
	assert.True(t, strings.HasSuffix(long.Message, "…"))
}

// Policies are judged by many at a time.
func TestExpressionsAreEvaluatedInParallel(t *testing.T) {
	p := read(t, expression("entry.spec.metadata.targets.exists(t, t.verified)"))
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 100 {
				require.Equal(t, v1alpha1.PolicySatisfied, p.Judge(described(), none).Outcome)
			}
		})
	}
}

// The largest lists that an entry has may be held against each other.
func TestTheCostAllowsForTheLargestEntry(t *testing.T) {
	large := entry(func(e *v1alpha1.CatalogImage) {
		e.Status.Platforms, e.Spec.Tags = nil, nil
		for n := range v1alpha1.MaxPlatforms {
			e.Status.Platforms = append(e.Status.Platforms, v1alpha1.Platform{OS: "linux", Architecture: "arm64"})
			e.Spec.Tags = append(e.Spec.Tags, strings.Repeat("x", n))
		}
	})
	v := read(t, expression("entry.status.platforms.all(p, !entry.spec.tags.exists(t, t == p.architecture))")).Judge(large, none)
	assert.Equal(t, v1alpha1.PolicySatisfied, v.Outcome, v.Message)
}
