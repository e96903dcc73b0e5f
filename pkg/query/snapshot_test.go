package query

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestOrderIsNewestFirstThenByNamespaceAndName(t *testing.T) {
	index := indexOf(image("b", "tie", 5), image("a", "z", 5), image("a", "old", 1), image("c", "new", 9), image("a", "tie", 5))
	entries, _, _ := index.snapshot().page(&query{limit: 10})
	got := []string{}
	for _, e := range entries {
		got = append(got, pathOf(e.namespace, e.name))
	}
	assert.Equal(t, []string{"c/new", "a/tie", "a/z", "b/tie", "a/old"}, got)
}

func TestFilters(t *testing.T) {
	index := indexOf(
		image("a", "pi", 4, architecture("aarch64"), distro("autosd"), targets("raspberry-pi", "qemu"), channel("prod"), tags("nightly", "safety"), phase(v1alpha1.PhaseAvailable)),
		image("a", "multi", 3, platforms("amd64", "arm64"), distro("autosd"), channel("dev"), phase(v1alpha1.PhaseAvailable)),
		image("b", "pc", 2, architecture("x86_64"), distro("centos-stream"), targets("qemu"), tags("nightly"), phase(v1alpha1.PhaseFailed)),
		image("b", "unseen", 1),
	)
	for name, tc := range map[string]struct {
		filter filter
		want   []string
	}{
		"nothing asked":                {filter{}, []string{"pi", "multi", "pc", "unseen"}},
		"declared or found":            {filter{architecture: "arm64"}, []string{"pi", "multi"}},
		"declared by its other name":   {filter{architecture: "amd64"}, []string{"multi", "pc"}},
		"distro":                       {filter{distro: "autosd"}, []string{"pi", "multi"}},
		"distro is not a prefix":       {filter{distro: "centos"}, []string{}},
		"one of the targets":           {filter{target: "qemu"}, []string{"pi", "pc"}},
		"channel":                      {filter{channel: "dev"}, []string{"multi"}},
		"one of the tags":              {filter{tag: "nightly"}, []string{"pi", "pc"}},
		"phase":                        {filter{phase: v1alpha1.PhaseFailed}, []string{"pc"}},
		"phase of an entry not seen":   {filter{phase: v1alpha1.PhasePending}, []string{"unseen"}},
		"namespace":                    {filter{namespace: "b"}, []string{"pc", "unseen"}},
		"all must hold":                {filter{architecture: "arm64", target: "qemu", namespace: "a"}, []string{"pi"}},
		"nothing has it":               {filter{target: "beaglebone"}, []string{}},
		"a value is not a display one": {filter{architecture: "x86_64"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			entries, total, more := index.snapshot().page(&query{filter: tc.filter, limit: 10})
			assert.Equal(t, tc.want, namesOf(entries))
			assert.Equal(t, len(tc.want), total)
			assert.False(t, more)
		})
	}
}

func TestPagesEndWhereTheNextBegins(t *testing.T) {
	index := indexOf()
	for n := range 10 {
		index.OnAdd(image("a", fmt.Sprintf("even-%d", n), 2*n, tags("even")), true)
		index.OnAdd(image("a", fmt.Sprintf("odd-%d", n), 2*n+1), true)
	}
	evens := filter{tag: "even"}
	entries, total, more := index.snapshot().page(&query{filter: evens, limit: 10})
	assert.Len(t, entries, 10)
	assert.Equal(t, 10, total)
	assert.False(t, more, "only entries that do not match follow")

	entries, total, more = index.snapshot().page(&query{filter: evens, limit: 9})
	assert.Len(t, entries, 9)
	assert.Equal(t, 10, total)
	assert.True(t, more)

	place := entries[8].key
	entries, total, more = index.snapshot().page(&query{filter: evens, limit: 9, after: &place})
	assert.Equal(t, []string{"even-0"}, namesOf(entries))
	assert.Equal(t, 10, total, "the total is of the query, not of the rest")
	assert.False(t, more)

	index.OnDelete(image("a", "even-1", 2))
	entries, _, _ = index.snapshot().page(&query{filter: evens, limit: 9, after: &place})
	assert.Equal(t, []string{"even-0"}, namesOf(entries), "the entry at the place may be gone")
}
